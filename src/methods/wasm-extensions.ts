import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  DeleteWasmExtensionRequestSchema,
  GetWasmExtensionRequestSchema,
  ListWasmExtensionRequestSchema,
  ListWasmExtensionResponseSchema,
  type WasmExtensions,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { extensionFqn } from "../catalog/names/fqn.ts";
import { readExtension } from "../catalog/reads/extension-reads.ts";
import { acceptedCreate, acceptedUpdate } from "../catalog/rules/extension-requests.ts";
import {
  createExtension,
  deleteExtension,
  updateExtension,
} from "../catalog/writes/extension-writes.ts";
import { listExtensions } from "../catalog/reads/listings.ts";
import { validated } from "../catalog/rules/validate.ts";
import { holdingAnswer, messageAnswer, storedAnswer } from "./answer.ts";
import type { ServiceMethods } from "./method.ts";
import { write } from "./write.ts";

/** The service `tetrateio.api.tsb.extension.v2.WasmExtensions`. */
export const wasmExtensions: ServiceMethods<typeof WasmExtensions> = {
  createWasmExtension: {
    accept: acceptedCreate,
    access: {
      permission: "CREATE",
      resource: ({ parent }) => parent,
      written: ({ parent, name }) => extensionFqn(parent, name),
    },
    handle: async (request, call) => storedAnswer(await write(call, createExtension(request))),
  },
  getWasmExtension: {
    accept: (request) => validated(GetWasmExtensionRequestSchema, request),
    access: { permission: "READ", resource: ({ fqn }) => fqn },
    handle: ({ fqn }, { reader, principal }) =>
      storedAnswer(readExtension(reader.state, principal, fqn)),
  },
  updateWasmExtension: {
    accept: acceptedUpdate,
    access: { permission: "WRITE", resource: ({ fqn }) => fqn },
    handle: async (request, call) => storedAnswer(await write(call, updateExtension(request))),
  },
  listWasmExtension: {
    accept: (request) => validated(ListWasmExtensionRequestSchema, request),
    access: { permission: "READ", resource: ({ parent }) => parent },
    handle(request, { reader, principal }) {
      const { items, nextPageToken } = listExtensions(reader, principal, request);
      const schema = ListWasmExtensionResponseSchema;
      return holdingAnswer(
        { schema, field: schema.field.extensions, rest: { nextPageToken } },
        items,
      );
    },
  },
  deleteWasmExtension: {
    accept: (request) => validated(DeleteWasmExtensionRequestSchema, request),
    access: { permission: "DELETE", resource: ({ fqn }) => fqn },
    handle: async (request, call) =>
      messageAnswer(EmptySchema, await write(call, deleteExtension(request))),
  },
};
