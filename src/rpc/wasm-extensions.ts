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
import { writeOptions } from "./write-options.ts";

/** The service `tetrateio.api.tsb.extension.v2.WasmExtensions` over a catalog. */
export function wasmExtensions({ store, journal }: Catalog): ServiceImpl<typeof WasmExtensions> {
  return {
    async createWasmExtension(request, context) {
      return (await journal.write(createExtension(request), writeOptions(context))).message;
    },
    getWasmExtension(request) {
      const { fqn } = validated(GetWasmExtensionRequestSchema, request);
      return getExtension(store.state, fqn).message;
    },
    async updateWasmExtension(request, context) {
      return (await journal.write(updateExtension(request), writeOptions(context))).message;
    },
    listWasmExtension(request) {
      const valid = validated(ListWasmExtensionRequestSchema, request);
      const { items, nextPageToken } = listPage(store, extensionListing, valid);
      return { extensions: items.map(({ message }) => message), nextPageToken };
    },
    deleteWasmExtension: (request, context) =>
      journal.write(deleteExtension(request), writeOptions(context)),
  };
}
