/* A whole bootstrap, and the parts of one for a proxy that has its own. */
import type { JsonObject } from "@bufbuild/protobuf";
import { clusterTo, socketAddress } from "./cluster.ts";
import { type Section, writeSections } from "./commented.ts";
import type { Proxy, ProxyProcess } from "./proxy.ts";
import { clusterOf } from "./server-cluster.ts";
import { adsConfig, slotFilters } from "./slots.ts";
import { tokenSecrets } from "./token.ts";
import { typed } from "./typed.ts";

/** Writes a whole bootstrap. */
export function writeBootstrap(proxy: Proxy, process: ProxyProcess): string {
  const { nodeId, listen, admin, upstream } = process;
  const head = [
    "Bootstrap of an Envoy, 1.39 or newer, that runs the plugins of",
    `${proxy.target}.`,
    "Run it with envoy -c FILE.",
  ];
  return writeSections(head, [
    {
      key: "node",
      comment: [
        "The id is the proxy's name in the catalog; envoy --service-node NAME overrides it.",
      ],
      value: { id: nodeId, cluster: "wasmext" },
    },
    { key: "admin", comment: [], value: { address: socketAddress(admin) } },
    ...(proxy.hasOwnStreams ? [] : [adsSection(proxy)]),
    {
      key: "static_resources",
      comment: [],
      value: {
        sections: [
          {
            key: "listeners",
            comment: ["The port is open as soon as the server has filled the slots."],
            value: [
              {
                name: "wasmext",
                address: socketAddress(listen),
                filter_chains: [{ filters: [connectionManager(proxy, upstream !== undefined)] }],
              },
            ],
          },
          {
            ...clustersSection(proxy),
            value: [
              ...(upstream === undefined ? [] : [clusterTo(upstreamCluster, upstream)]),
              clusterOf(proxy.server),
            ],
          },
          secretsSection(proxy),
        ],
      },
    },
  ]);
}

/** Writes what goes into the bootstrap of a proxy. */
export function writeFilters(proxy: Proxy): string {
  const head = [
    "What the bootstrap of an Envoy, 1.39 or newer, needs to run the plugins of",
    `${proxy.target}.`,
    "The proxy needs an id and a cluster in node as well.",
  ];
  return writeSections(head, [
    {
      key: "http_filters",
      comment: [
        "For http_filters of the HTTP connection manager of the listener, before the router. The listener",
        "opens as soon as the server has filled these slots.",
      ],
      value: slotFilters(proxy),
    },
    ...(proxy.hasOwnStreams
      ? []
      : [
          adsSection(proxy, [
            "If the proxy has an ads_config for other things, print this with --no-ads instead.",
          ]),
        ]),
    {
      key: "static_resources",
      comment: ["For the lists of the same names."],
      value: { sections: [clustersSection(proxy), secretsSection(proxy)] },
    },
  ]);
}

function adsSection(proxy: Proxy, remarks: readonly string[] = []): Section {
  return {
    key: "dynamic_resources",
    comment: ["The stream that fills the slots.", ...remarks],
    value: { ads_config: adsConfig(proxy) },
  };
}

function clustersSection({ server }: Proxy): Section {
  return { key: "clusters", comment: [], value: [clusterOf(server)] };
}

function secretsSection({ server: { token } }: Proxy): Section {
  return { key: "secrets", comment: [], value: tokenSecrets(token) };
}

const upstreamCluster = "upstream";

function connectionManager(proxy: Proxy, hasUpstream: boolean): JsonObject {
  const action: JsonObject = hasUpstream
    ? { route: { cluster: upstreamCluster } }
    : { direct_response: { status: 200, body: { inline_string: "Envoy answers this itself.\n" } } };
  const routes = [{ match: { prefix: "/" }, ...action }];
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: typed(
      "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      {
        stat_prefix: "wasmext",
        route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
        http_filters: [
          ...slotFilters(proxy),
          {
            name: "envoy.filters.http.router",
            typed_config: typed("envoy.extensions.filters.http.router.v3.Router"),
          },
        ],
      },
    ),
  };
}
