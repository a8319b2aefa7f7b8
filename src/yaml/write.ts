import { type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { type AttachmentSet, AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { jsonOptions } from "../wire/options.ts";
import { emit } from "./emit.ts";
import { attachmentSetKind, extensionKind, type Kind } from "./kinds.ts";

/** The document of an extension, as `readObjects` takes it back. */
export function documentOfExtension(extension: WasmExtension): JsonObject {
  const [, organization = "", , name = ""] = extension.fqn.split("/");
  const { displayName, ...spec } = toJson(
    WasmExtensionSchema,
    extension,
    jsonOptions,
  ) as JsonObject;
  const shown = displayName === undefined ? {} : { displayName };
  return documentOf(extensionKind, { organization, name, ...shown }, spec);
}

/** The document of an attachment set, as `readObjects` takes it back. */
export function documentOfAttachmentSet(attachmentSet: AttachmentSet): JsonObject {
  const spec = toJson(AttachmentSetSchema, attachmentSet, jsonOptions) as JsonObject;
  return documentOf(attachmentSetKind, { fqn: attachmentSet.fqn }, spec);
}

/** Writes JSON values as a stream of YAML documents. */
export function writeYaml(values: readonly JsonValue[]): string {
  return values.map(emit).join("---\n");
}

function documentOf(
  { apiVersion, name: kind, order, notInSpec }: Kind,
  metadata: JsonObject,
  fields: JsonObject,
): JsonObject {
  const spec = Object.fromEntries(
    Object.entries(fields)
      .filter(([key]) => !notInSpec.includes(key))
      .toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b)),
  );
  return { apiVersion, kind, metadata, spec };
}
