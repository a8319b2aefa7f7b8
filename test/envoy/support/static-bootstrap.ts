/* Bootstraps written by hand, for tests of the harness and of what users paste into their own. */
const v3 = "type.googleapis.com/envoy.extensions.filters";

/** The type of a chain of filters. */
export const chainType = `${v3}.http.filter_chain.v3.FilterChainConfig`;

/** The name of the listener. */
export const listenerName = "in";

/** The parts of a bootstrap that users have already. */
export interface OwnParts {
  /** Where the listener leads to. */
  readonly upstreamPort: number;
  /** Filters before the router. */
  readonly httpFilters: readonly unknown[];
  readonly clusters?: readonly unknown[];
  readonly secrets?: readonly unknown[];
  readonly dynamicResources?: unknown;
}

/** A bootstrap with one listener; its port and that of the admin interface are free ones. */
export function staticBootstrap({
  upstreamPort,
  httpFilters,
  clusters = [],
  secrets = [],
  dynamicResources = {},
}: OwnParts): object {
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: addressOf(0) },
    dynamic_resources: dynamicResources,
    static_resources: {
      listeners: [
        {
          name: listenerName,
          address: addressOf(0),
          filter_chains: [{ filters: [connectionManager(httpFilters)] }],
        },
      ],
      clusters: [
        {
          name: "up",
          load_assignment: {
            cluster_name: "up",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(upstreamPort) } }] }],
          },
        },
        ...clusters,
      ],
      secrets,
    },
  };
}

/** A Wasm filter of a chain. */
export function wasmFilter(name: string, filename: string, configuration: string): object {
  return {
    name,
    typed_config: {
      "@type": `${v3}.http.wasm.v3.Wasm`,
      config: {
        name,
        vm_config: {
          vm_id: name,
          runtime: "envoy.wasm.runtime.v8",
          code: { local: { filename } },
        },
        configuration: {
          "@type": "type.googleapis.com/google.protobuf.StringValue",
          value: configuration,
        },
      },
    },
  };
}

/** A chain of filters. */
export function chainOf(filters: readonly object[]): object {
  return { "@type": chainType, default_filter_chain: { filters } };
}

function connectionManager(httpFilters: readonly unknown[]): object {
  const router = {
    name: "envoy.filters.http.router",
    typed_config: { "@type": `${v3}.http.router.v3.Router` },
  };
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up" } }];
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${v3}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: listenerName,
      route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
      http_filters: [...httpFilters, router],
    },
  };
}

function addressOf(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
