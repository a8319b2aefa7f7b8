import { dirname } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Address, ClientCertificate, Tls } from "./proxy.ts";
import { typed } from "./typed.ts";

const secretName = "wasmext-client-certificate";

/** The transport socket of a cluster with TLS. */
export function tlsSocket({ host, isIp }: Address, { caPath, client }: Tls): JsonObject {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
      ...(!isIp && { sni: host }),
      common_tls_context: {
        ...(client !== undefined && certificateOf(client)),
        validation_context: {
          trusted_ca: { filename: caPath },
          match_typed_subject_alt_names: [
            { san_type: isIp ? "IP_ADDRESS" : "DNS", matcher: { exact: host } },
          ],
        },
      },
    }),
  };
}

function certificateOf(client: ClientCertificate): JsonObject {
  const { sdsPath } = client;
  if (sdsPath === undefined) {
    return { tls_certificates: [filesOf(client)] };
  }
  return {
    tls_certificate_sds_secret_configs: [
      {
        name: secretName,
        sds_config: { path_config_source: { path: sdsPath }, resource_api_version: "V3" },
      },
    ],
  };
}

function filesOf({ certPath, keyPath }: ClientCertificate): JsonObject {
  return { certificate_chain: { filename: certPath }, private_key: { filename: keyPath } };
}

/** The content of the file of SDS. */
export function sdsFile(client: ClientCertificate): JsonObject {
  return {
    resources: [
      typed("envoy.extensions.transport_sockets.tls.v3.Secret", {
        name: secretName,
        // Certificates are replaced by renaming, which Envoy notices in this folder.
        tls_certificate: {
          ...filesOf(client),
          watched_directory: { path: dirname(client.certPath) },
        },
      }),
    ],
  };
}
