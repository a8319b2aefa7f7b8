import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Proxy } from "./proxy.ts";
import { grpcService } from "./server-cluster.ts";
import { typeUrl } from "./typed.ts";

/** The phases of a chain, in their order. */
const phases = ["authn", "authz", "stats", "unspecified"] as const;

/** The phase of a slot for the whole chain. */
const wholeChain = "all";

/** The filters that the server fills: their names are the resources that the proxy asks for. */
export function slotFilters(proxy: Proxy): JsonObject[] {
  const names = proxy.isAtomic ? [wholeChain] : phases;
  return names.map((phase) => ({
    name: `wasmext/${phase}/${proxy.listener}/${proxy.target}`,
    config_discovery: {
      config_source: {
        ...sourceOf(proxy),
        resource_api_version: "V3",
        // 0s waits for ever: no request passes before the first answer.
        initial_fetch_timeout: "0s",
      },
      type_urls: [typeUrl("envoy.extensions.filters.http.filter_chain.v3.FilterChainConfig")],
    },
  }));
}

/** The stream of all slots, for the bootstrap. */
export function adsConfig({ server }: Proxy): JsonObject {
  return {
    api_type: "DELTA_GRPC",
    transport_api_version: "V3",
    // All requests would carry the list of the proxy's extensions, 60 KB.
    set_node_on_first_message_only: true,
    grpc_services: [grpcService(server)],
  };
}

function sourceOf(proxy: Proxy): Record<string, JsonValue> {
  return proxy.hasOwnStreams ? { api_config_source: adsConfig(proxy) } : { ads: {} };
}
