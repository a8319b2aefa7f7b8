import { type Client, createClient, createRouterTransport } from "@connectrpc/connect";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { Tenants } from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { AttachmentService } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { ChainService } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { ExportService } from "../../gen/wasmext/v1/export_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { createStore, type Store } from "../../src/catalog/store.ts";
import { createMemoryJournal } from "../../src/journal/memory.ts";
import { createRoutes } from "../../src/routes.ts";
import { errorInterceptor } from "../../src/rpc/error-interceptor.ts";
import { binaryOptions } from "../../src/wire/options.ts";

/** The services over a catalog of their own, without a network. */
export interface InMemory {
  readonly extensions: Client<typeof WasmExtensions>;
  readonly tenants: Client<typeof Tenants>;
  readonly attachments: Client<typeof AttachmentService>;
  readonly chains: Client<typeof ChainService>;
  readonly watches: Client<typeof WatchService>;
  readonly exports: Client<typeof ExportService>;
  readonly store: Store;
}

/** Creates an empty catalog and clients for it. */
export function createInMemory({
  store = createStore(),
  bookmarkIntervalMs = 25_000,
}: { store?: Store; bookmarkIntervalMs?: number } = {}): InMemory {
  const routes = createRoutes(
    { store, journal: createMemoryJournal(store), bookmarkIntervalMs },
    new AbortController().signal,
  );
  const transport = createRouterTransport(routes, {
    router: { interceptors: [errorInterceptor], binaryOptions },
    transport: { binaryOptions },
  });
  return {
    extensions: createClient(WasmExtensions, transport),
    tenants: createClient(Tenants, transport),
    attachments: createClient(AttachmentService, transport),
    chains: createClient(ChainService, transport),
    watches: createClient(WatchService, transport),
    exports: createClient(ExportService, transport),
    store,
  };
}
