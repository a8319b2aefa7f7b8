import type { ServiceImpl } from "@connectrpc/connect";
import {
  GetWasmExtensionRequestSchema,
  ListWasmExtensionRequestSchema,
  type WasmExtensions,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { listExtensions } from "../catalog/extension-list.ts";
import { getExtension } from "../catalog/extension-reads.ts";
import { createExtension, deleteExtension, updateExtension } from "../catalog/extension-writes.ts";
import { validated } from "../catalog/validate.ts";
import type { Catalog } from "./catalog.ts";

/** The service `tetrateio.api.tsb.extension.v2.WasmExtensions` over a catalog. */
export function wasmExtensions({ store, journal }: Catalog): ServiceImpl<typeof WasmExtensions> {
  return {
    createWasmExtension: (request) => journal.write(createExtension(request)),
    getWasmExtension(request) {
      const { fqn } = validated(GetWasmExtensionRequestSchema, request);
      return getExtension(store.state, fqn);
    },
    updateWasmExtension: (request) => journal.write(updateExtension(request)),
    listWasmExtension: (request) =>
      listExtensions(store, validated(ListWasmExtensionRequestSchema, request)),
    deleteWasmExtension: (request) => journal.write(deleteExtension(request)),
  };
}
