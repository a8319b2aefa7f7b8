/*
 * The cluster of the server. The stream of slots goes over it, and so do the modules that are too large for
 * the stream; both carry the credentials of the cluster.
 */
import type { JsonObject } from "@bufbuild/protobuf";
import { clusterTo } from "./cluster.ts";
import type { Address, Server } from "./proxy.ts";
import { tlsSocket } from "./tls.ts";
import { tokenFilters } from "./token.ts";
import { typed } from "./typed.ts";

/** The name of the cluster; the server names it in what it sends. */
export const serverCluster = "wasmext";

/** The cluster of a server. */
export function clusterOf({ address, token, tls }: Server): JsonObject {
  const filters = tokenFilters(token);
  return clusterTo(serverCluster, address, {
    ...(tls !== undefined && { transport_socket: tlsSocket(address, tls) }),
    typed_extension_protocol_options: {
      [httpOptions]: typed(httpOptions, {
        explicit_http_config: {
          http2_protocol_options: {
            // Notices a connection that was lost without a word.
            connection_keepalive: { interval: "10s", timeout: "5s" },
          },
        },
        ...(filters.length > 0 && { http_filters: [...filters, codec] }),
      }),
    },
  });
}

const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** The filter that the filters of a cluster end with. */
const codec = {
  name: "envoy.filters.http.upstream_codec",
  typed_config: typed("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"),
};

/** The gRPC service of a server. */
export function grpcService({ address }: Server): JsonObject {
  return {
    envoy_grpc: {
      cluster_name: serverCluster,
      // A server on loopback answers only requests for its own names.
      authority: hostAndPort(address),
      // Envoy's own goes up to 30 s, after which a server that was away would be found again.
      retry_policy: { retry_back_off: { base_interval: "0.5s", max_interval: "3s" } },
    },
  };
}

function hostAndPort({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
