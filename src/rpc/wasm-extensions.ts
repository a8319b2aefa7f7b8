import type { ServiceImpl } from "@connectrpc/connect";
import { WasmExtensionSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  GetWasmExtensionRequestSchema,
  ListWasmExtensionRequestSchema,
  ListWasmExtensionResponseSchema,
  type WasmExtensions,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { extensionListing } from "../catalog/listings.ts";
import { listPage } from "../catalog/pages.ts";
import { getExtension } from "../catalog/extension-reads.ts";
import { createExtension, deleteExtension, updateExtension } from "../catalog/extension-writes.ts";
import { validated } from "../catalog/validate.ts";
import type { Catalog } from "./catalog.ts";
import { responseWith, storedAnswer } from "./encoded-message.ts";
import { writeOptions } from "./write-options.ts";

/** The service `tetrateio.api.tsb.extension.v2.WasmExtensions` over a catalog. */
export function wasmExtensions({ store, journal }: Catalog): ServiceImpl<typeof WasmExtensions> {
  return {
    async createWasmExtension(request, context) {
      const created = await journal.write(createExtension(request), writeOptions(context));
      return storedAnswer(context, WasmExtensionSchema, created);
    },
    getWasmExtension(request, context) {
      const { fqn } = validated(GetWasmExtensionRequestSchema, request);
      return storedAnswer(context, WasmExtensionSchema, getExtension(store.state, fqn));
    },
    async updateWasmExtension(request, context) {
      const updated = await journal.write(updateExtension(request), writeOptions(context));
      return storedAnswer(context, WasmExtensionSchema, updated);
    },
    listWasmExtension(request, context) {
      const valid = validated(ListWasmExtensionRequestSchema, request);
      const { items, nextPageToken } = listPage(store, extensionListing, valid);
      const field = ListWasmExtensionResponseSchema.field.extensions;
      const response = { schema: ListWasmExtensionResponseSchema, field, rest: { nextPageToken } };
      return responseWith(context, response, items);
    },
    deleteWasmExtension: (request, context) =>
      journal.write(deleteExtension(request), writeOptions(context)),
  };
}
