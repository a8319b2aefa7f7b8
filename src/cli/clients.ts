import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { AccessService } from "../../gen/wasmext/v1/access_service_pb.ts";
import { AttachmentService } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { ChainService } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { ExportService } from "../../gen/wasmext/v1/export_service_pb.ts";
import { ProxyService } from "../../gen/wasmext/v1/proxy_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";

/** Clients for the services of a server. */
export interface Clients {
  readonly extensions: Client<typeof WasmExtensions>;
  readonly attachments: Client<typeof AttachmentService>;
  readonly chains: Client<typeof ChainService>;
  readonly watches: Client<typeof WatchService>;
  readonly exports: Client<typeof ExportService>;
  readonly access: Client<typeof AccessService>;
  readonly proxies: Client<typeof ProxyService>;
}

/** Creates clients for all services that a transport reaches. */
export function createClients(transport: Transport): Clients {
  return {
    extensions: createClient(WasmExtensions, transport),
    attachments: createClient(AttachmentService, transport),
    chains: createClient(ChainService, transport),
    watches: createClient(WatchService, transport),
    exports: createClient(ExportService, transport),
    access: createClient(AccessService, transport),
    proxies: createClient(ProxyService, transport),
  };
}
