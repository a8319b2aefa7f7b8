/* The documents of each kind of object: one table for reading and writing. */
import type { DescMessage } from "@bufbuild/protobuf";
import { WasmExtensionSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";

/** A kind of objects. */
export interface Kind {
  readonly name: "WasmExtension" | "AttachmentSet";
  readonly apiVersion: string;
  /** The keys of `metadata`, the mandatory ones first. */
  readonly metadata: readonly string[];
  readonly mandatory: readonly string[];
  /** The message that `spec` holds in proto3 JSON. */
  readonly schema: DescMessage;
  /** Fields of the message that `spec` cannot have: the server sets them, or metadata holds them. */
  readonly notInSpec: readonly string[];
  /** The order of the fields of `spec`, the most important first. */
  readonly order: readonly string[];
}

export const extensionKind: Kind = {
  name: "WasmExtension",
  apiVersion: "extension.tsb.tetrate.io/v2",
  metadata: ["organization", "name", "displayName", "description"],
  mandatory: ["organization", "name"],
  schema: WasmExtensionSchema,
  notInSpec: ["fqn", "etag"],
  order: [
    "allowedIn",
    "url",
    "image",
    "source",
    "description",
    "phase",
    "priority",
    "imagePullPolicy",
    "imagePullSecret",
    "match",
    "vmConfig",
    "config",
  ],
};

export const attachmentSetKind: Kind = {
  name: "AttachmentSet",
  apiVersion: "wasmext/v1",
  metadata: ["fqn"],
  mandatory: ["fqn"],
  schema: AttachmentSetSchema,
  notInSpec: ["fqn", "etag"],
  order: ["workloadSelector", "extension"],
};

/** All kinds. */
export const kinds: readonly Kind[] = [extensionKind, attachmentSetKind];
