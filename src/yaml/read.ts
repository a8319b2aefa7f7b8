/*
 * Reads documents of the catalog's kinds. Validation is strict: a misspelt key, or a key without a value
 * after a wrong indentation, must not open an extension to everyone.
 */
import {
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { type AttachmentSet, AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { excerpt } from "../catalog/names/excerpt.ts";
import { extensionFqn } from "../catalog/names/fqn.ts";
import { problemsOfForm } from "../catalog/rules/well-formed.ts";
import { jsonOptions } from "../wire/options.ts";
import { type DocumentPart, parseYaml } from "./document.ts";
import { isMapping } from "../wire/json.ts";
import { extensionKind, type Kind, kinds } from "./kinds.ts";
import { membersOf, partAt } from "./list.ts";
import { locateField } from "./locate-field.ts";
import { diagnosticsOfMetadata } from "./metadata.ts";
import type { Position, Diagnostic, Step } from "./diagnostic.ts";
import { diagnosticsOfSpec } from "./spec.ts";
import { diagnosticsOfKeys } from "./unknown-field.ts";

/** An object of the catalog as a document states it: without an etag. */
export type CatalogObject =
  | { readonly kind: "WasmExtension"; readonly extension: WasmExtension }
  | { readonly kind: "AttachmentSet"; readonly attachmentSet: AttachmentSet };

/** An object, and its position. */
export interface SourcedObject {
  readonly fqn: string;
  readonly object: CatalogObject;
  readonly position: Position;
  /**
   * The diagnostic for a violation that a server reports.
   *
   * @param field - the path from the object with proto field names: `vm_config.env[0].name`
   */
  readonly diagnosticOfField: (field: string, message: string) => Diagnostic;
}

/** The valid objects of a text, and the diagnostics of the others. */
export interface ObjectsOfText {
  readonly objects: SourcedObject[];
  readonly diagnostics: Diagnostic[];
}

/** The number of diagnostics after which reading stops. */
export const enoughDiagnostics = 1_000;

/**
 * Reads the objects of a YAML text, up to a syntax error or too many diagnostics.
 *
 * @param file - the name of the file, for positions
 * @param onObject - is called after each object
 */
export function readObjects(
  file: string,
  text: string,
  onObject: () => void = () => undefined,
): ObjectsOfText {
  const found: ObjectsOfText = { objects: [], diagnostics: [] };
  const reread = createRereader();
  for (const item of parseYaml(file, text)) {
    if (item.kind === "unreadable") {
      found.diagnostics.push(item.diagnostic);
      break;
    }
    if (found.diagnostics.length > enoughDiagnostics) {
      break;
    }
    const { document } = item;
    for (const member of membersOf(document)) {
      if (member.kind === "unreadable") {
        found.diagnostics.push(...member.diagnostics);
        continue;
      }
      const { part, path } = member;
      const diagnostics = diagnosticsOf(part);
      if (diagnostics.length > 0) {
        found.diagnostics.push(...firstOf(diagnostics));
        continue;
      }
      const object = objectOf(part, locatorOf(reread, document.readAgain, path));
      // Values that are too deep or too many would be refused by the server, or could not be encoded.
      const { problems: unfit } = problemsOfForm(...messageOf(object));
      if (unfit.length === 0) {
        found.objects.push(object);
      } else {
        const placed = unfit.map(({ field, description }) =>
          diagnosticOfField(part, field, description),
        );
        found.diagnostics.push(...firstOf(placed));
      }
      onObject();
    }
  }
  return found;
}

type Reread = (readAgain: () => DocumentPart) => DocumentPart;

/** Reads documents again. The last one is kept, since its diagnostics come one after the other. */
function createRereader(): Reread {
  let last: { readonly readAgain: () => DocumentPart; readonly document: DocumentPart } | undefined;
  return (readAgain) => {
    if (last?.readAgain !== readAgain) {
      last = { readAgain, document: readAgain() };
    }
    return last.document;
  };
}

// A separate function, so that its closures do not keep the document in memory.
function locatorOf(
  reread: Reread,
  readAgain: () => DocumentPart,
  path: readonly Step[],
): SourcedObject["diagnosticOfField"] {
  return (field, message) => diagnosticOfField(partAt(reread(readAgain), path), field, message);
}

function diagnosticOfField(part: DocumentPart, field: string, message: string): Diagnostic {
  return part.diagnosticAt(locateField(part.value, field), message);
}

function messageOf({ object }: SourcedObject): [DescMessage, Message] {
  return object.kind === "WasmExtension"
    ? [WasmExtensionSchema, object.extension]
    : [AttachmentSetSchema, object.attachmentSet];
}

/** The number of diagnostics of a document that are shown; more usually have one cause. */
const maxProblems = 20;

function firstOf(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const byPlace = diagnostics.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const told = byPlace.slice(0, maxProblems);
  const next = byPlace[maxProblems];
  const more = byPlace.length - maxProblems;
  return next === undefined
    ? told
    : [...told, { ...next, field: "", message: `and ${more} more problems from here on` }];
}

function diagnosticsOf(document: DocumentPart): Diagnostic[] {
  const { value } = document;
  if (!isMapping(value)) {
    const wanted = "a mapping with apiVersion, kind, metadata and spec";
    return [document.diagnosticAt([], `a document has to be ${wanted}`)];
  }
  const kind = kindOf(value);
  if (kind === undefined) {
    const known = kinds.map(({ name }) => name).join(" or ");
    return [document.diagnosticAt(["kind"], `${stated(value["kind"])}; write ${known}`)];
  }
  if (value["apiVersion"] !== kind.apiVersion) {
    const text = `${stated(value["apiVersion"])}; write ${kind.apiVersion} for a ${kind.name}`;
    return [document.diagnosticAt(["apiVersion"], text)];
  }
  const { metadata, spec } = value;
  return [
    ...diagnosticsOfKeys(document, [], value, ["apiVersion", "kind", "metadata", "spec"]),
    ...diagnosticsOfMetadata(document, kind, metadata),
    ...diagnosticsOfSpec(document, kind, spec),
    ...diagnosticsOfBoth(document, metadata, spec),
  ];
}

/** The keys of spec that metadata can have as well, and their names there. */
const alsoInMetadata = new Map([
  ["description", "description"],
  ["displayName", "displayName"],
  ["display_name", "displayName"],
]);

/** A value that both metadata and spec have must be equal. */
function diagnosticsOfBoth(
  document: DocumentPart,
  metadata: JsonValue | undefined,
  spec: JsonValue | undefined,
): Diagnostic[] {
  if (!isMapping(metadata) || !isMapping(spec)) {
    return [];
  }
  return [...alsoInMetadata].flatMap(([inSpec, inMetadata]) =>
    inSpec in spec && inMetadata in metadata && spec[inSpec] !== metadata[inMetadata]
      ? [document.diagnosticAt(["spec", inSpec], `differs from metadata.${inMetadata}; keep one`)]
      : [],
  );
}

/** The object of a document that has no diagnostics. */
function objectOf(
  { value, position }: DocumentPart,
  diagnosticOfField: SourcedObject["diagnosticOfField"],
): SourcedObject {
  const { metadata, spec } = value as { metadata: Record<string, string>; spec: JsonObject };
  return {
    ...(kindOf(value as JsonObject) === extensionKind
      ? extensionOf(metadata, spec)
      : attachmentSetOf(metadata, spec)),
    position,
    diagnosticOfField,
  };
}

function extensionOf(
  { organization = "", name = "", ...shown }: Record<string, string>,
  spec: JsonObject,
): { fqn: string; object: CatalogObject } {
  const fqn = extensionFqn(`organizations/${organization}`, name);
  const message = fromJson(WasmExtensionSchema, spec, jsonOptions);
  const extension = { ...message, ...shown, fqn };
  return { fqn, object: { kind: "WasmExtension", extension } };
}

function attachmentSetOf(
  { fqn = "" }: Record<string, string>,
  spec: JsonObject,
): { fqn: string; object: CatalogObject } {
  const message = fromJson(AttachmentSetSchema, spec, jsonOptions);
  const attachmentSet = { ...message, fqn };
  return { fqn, object: { kind: "AttachmentSet", attachmentSet } };
}

function kindOf(value: JsonObject): Kind | undefined {
  return kinds.find(({ name }) => name === value["kind"]);
}

function stated(value: JsonValue | undefined): string {
  if (value === undefined) {
    return "is missing";
  }
  return `${typeof value === "string" ? excerpt(value) : JSON.stringify(value)} is not known`;
}
