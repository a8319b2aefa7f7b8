import type { ServiceImpl } from "@connectrpc/connect";
import {
  GetWasmExtensionRequestSchema,
  ListWasmExtensionRequestSchema,
  type WasmExtensions,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { extensionListing } from "../catalog/listings.ts";
import { listPage } from "../catalog/pages.ts";
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
    listWasmExtension(request) {
      const valid = validated(ListWasmExtensionRequestSchema, request);
      const { items: extensions, nextPageToken } = listPage(store, extensionListing, valid);
      return { extensions, nextPageToken };
    },
    deleteWasmExtension: (request) => journal.write(deleteExtension(request)),
  };
}
