/*
 * Documents of the catalog's kinds. They are held to their kind strictly: a key that is misspelt, or
 * that lost its value to a wrong indentation, must not open an extension to everyone.
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
import { problemsOfMetadata } from "./metadata.ts";
import type { Position, Problem, Step } from "./problem.ts";
import { problemsOfSpec } from "./spec.ts";
import { problemsOfKeys } from "./unknown-field.ts";

/** An object of the catalog as a document states it: without an etag. */
export type CatalogObject =
  | { readonly kind: "WasmExtension"; readonly extension: WasmExtension }
  | { readonly kind: "AttachmentSet"; readonly attachmentSet: AttachmentSet };

/** An object, and where it stands. */
export interface SourcedObject {
  readonly fqn: string;
  readonly object: CatalogObject;
  readonly position: Position;
  /**
   * States as a problem of the file what a server says of a field.
   *
   * @param field - the path from the object with proto field names: `vm_config.env[0].name`
   */
  readonly problemOfField: (field: string, message: string) => Problem;
}

/** What a text holds, and what is wrong with it; documents with problems are not among the objects. */
export interface ObjectsOfText {
  readonly objects: SourcedObject[];
  readonly problems: Problem[];
}

/** After how many problems a text is not read on. */
export const enoughProblems = 1_000;

/**
 * Reads all objects of a YAML text, up to what cannot be read, or to too many problems.
 *
 * @param file - the name of the file, for positions
 * @param onObject - is called after each object
 */
export function readObjects(
  file: string,
  text: string,
  onObject: () => void = () => undefined,
): ObjectsOfText {
  const found: ObjectsOfText = { objects: [], problems: [] };
  const reread = createRereader();
  for (const item of parseYaml(file, text)) {
    if (item.kind === "unreadable") {
      found.problems.push(item.problem);
      break;
    }
    if (found.problems.length > enoughProblems) {
      break;
    }
    const { document } = item;
    for (const member of membersOf(document)) {
      if (member.kind === "unreadable") {
        found.problems.push(...member.problems);
        continue;
      }
      const { part, path } = member;
      const problems = problemsOf(part);
      if (problems.length > 0) {
        found.problems.push(...firstOf(problems));
        continue;
      }
      const object = objectOf(part, locatorOf(reread, document.readAgain, path));
      // No server takes what is too deep or too much, and some of it cannot even be sent.
      const { problems: unfit } = problemsOfForm(...messageOf(object));
      if (unfit.length === 0) {
        found.objects.push(object);
      } else {
        const placed = unfit.map(({ field, description }) =>
          problemOfField(part, field, description),
        );
        found.problems.push(...firstOf(placed));
      }
      onObject();
    }
  }
  return found;
}

type Reread = (readAgain: () => DocumentPart) => DocumentPart;

/** Reads documents again. The last one is kept, since its problems come one after the other. */
function createRereader(): Reread {
  let last: { readonly readAgain: () => DocumentPart; readonly document: DocumentPart } | undefined;
  return (readAgain) => {
    if (last?.readAgain !== readAgain) {
      last = { readAgain, document: readAgain() };
    }
    return last.document;
  };
}

// A function of its own, so that what it makes holds no document.
function locatorOf(
  reread: Reread,
  readAgain: () => DocumentPart,
  path: readonly Step[],
): SourcedObject["problemOfField"] {
  return (field, message) => problemOfField(partAt(reread(readAgain), path), field, message);
}

function problemOfField(part: DocumentPart, field: string, message: string): Problem {
  return part.problemAt(locateField(part.value, field), message);
}

function messageOf({ object }: SourcedObject): [DescMessage, Message] {
  return object.kind === "WasmExtension"
    ? [WasmExtensionSchema, object.extension]
    : [AttachmentSetSchema, object.attachmentSet];
}

/** How many problems of a document are told; where there are more, one cause has many effects. */
const maxProblems = 20;

function firstOf(problems: readonly Problem[]): Problem[] {
  const byPlace = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const told = byPlace.slice(0, maxProblems);
  const next = byPlace[maxProblems];
  const more = byPlace.length - maxProblems;
  return next === undefined
    ? told
    : [...told, { ...next, field: "", message: `and ${more} more problems from here on` }];
}

function problemsOf(document: DocumentPart): Problem[] {
  const { value } = document;
  if (!isMapping(value)) {
    const wanted = "a mapping with apiVersion, kind, metadata and spec";
    return [document.problemAt([], `a document has to be ${wanted}`)];
  }
  const kind = kindOf(value);
  if (kind === undefined) {
    const known = kinds.map(({ name }) => name).join(" or ");
    return [document.problemAt(["kind"], `${stated(value["kind"])}; write ${known}`)];
  }
  if (value["apiVersion"] !== kind.apiVersion) {
    const text = `${stated(value["apiVersion"])}; write ${kind.apiVersion} for a ${kind.name}`;
    return [document.problemAt(["apiVersion"], text)];
  }
  const { metadata, spec } = value;
  return [
    ...problemsOfKeys(document, [], value, ["apiVersion", "kind", "metadata", "spec"]),
    ...problemsOfMetadata(document, kind, metadata),
    ...problemsOfSpec(document, kind, spec),
    ...problemsOfBoth(document, metadata, spec),
  ];
}

/** The keys of spec that may stand in metadata as well, and what they are called there. */
const alsoInMetadata = new Map([
  ["description", "description"],
  ["displayName", "displayName"],
  ["display_name", "displayName"],
]);

/** What stands in metadata and in spec has to be the same in both. */
function problemsOfBoth(
  document: DocumentPart,
  metadata: JsonValue | undefined,
  spec: JsonValue | undefined,
): Problem[] {
  if (!isMapping(metadata) || !isMapping(spec)) {
    return [];
  }
  return [...alsoInMetadata].flatMap(([inSpec, inMetadata]) =>
    inSpec in spec && inMetadata in metadata && spec[inSpec] !== metadata[inMetadata]
      ? [document.problemAt(["spec", inSpec], `differs from metadata.${inMetadata}; keep one`)]
      : [],
  );
}

/** The object of a document that has no problems. */
function objectOf(
  { value, position }: DocumentPart,
  problemOfField: SourcedObject["problemOfField"],
): SourcedObject {
  const { metadata, spec } = value as { metadata: Record<string, string>; spec: JsonObject };
  return {
    ...(kindOf(value as JsonObject) === extensionKind
      ? extensionOf(metadata, spec)
      : attachmentSetOf(metadata, spec)),
    position,
    problemOfField,
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
