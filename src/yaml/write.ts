import { type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { Document, type ScalarTag, type Tags } from "yaml";
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { type AttachmentSet, AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { jsonOptions } from "../wire/options.ts";
import { escaped, unsafe } from "./escape.ts";
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
  return values.map(writeDocument).join("---\n");
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

function writeDocument(value: JsonValue): string {
  // Kubernetes reads YAML 1.1, where `on` is true and 1:30 is 90: such strings get quotes.
  const document = new Document(value, { compat: "yaml-1.1", customTags: withSafeStrings });
  return document.toString({ lineWidth: 0 });
}

const stringTag = "tag:yaml.org,2002:str";

function withSafeStrings(tags: Tags): Tags {
  return tags.map((tag) =>
    typeof tag === "object" && tag.tag === stringTag && tag.collection === undefined
      ? { ...tag, stringify: withEscapes(tag) }
      : tag,
  );
}

function withEscapes({ stringify }: ScalarTag): NonNullable<ScalarTag["stringify"]> {
  return (item, ...context) => {
    const text = String(item.value);
    return stringify === undefined || needsQuotes(text)
      ? JSON.stringify(text).replaceAll(unsafe, escaped)
      : stringify(item, ...context);
  };
}

/**
 * Tells what the library would write bare, or as a block, and readers take for something else: Go's
 * takes more for numbers than YAML 1.1 does, such as 0X1F and 0_8, and blocks that begin with white
 * space are read in different ways.
 */
function needsQuotes(text: string): boolean {
  return (
    text.search(unsafe) >= 0 ||
    /^[-+.\d]/.test(text) ||
    (text.includes("\n") && /^\n*[ \t]/.test(text))
  );
}
