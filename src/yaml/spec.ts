import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  fieldNamed,
  findUnreadable,
  isWellKnown,
  type JsonStep,
  oneOf,
  type Unreadable,
} from "../wire/unreadable.ts";
import type { DocumentPart } from "./document.ts";
import { isMapping } from "../wire/json.ts";
import type { Kind } from "./kinds.ts";
import type { Diagnostic, Step } from "./diagnostic.ts";
import { unknownField } from "./unknown-field.ts";

/** Finds every value in the spec of a document that does not have the type of its field. */
export function diagnosticsOfSpec(
  document: DocumentPart,
  { name, schema, notInSpec }: Kind,
  spec: JsonValue | undefined,
): Diagnostic[] {
  if (!isMapping(spec)) {
    return [document.diagnosticAt(["spec"], `is missing; write the fields of the ${name} there`)];
  }
  const misplaced = notInSpec.filter((key) => key in spec);
  return [
    ...misplaced.map((key) => document.diagnosticAtKey(["spec", key], remedyOfMisplaced(key))),
    ...emptyFields(schema, spec).map((path) =>
      document.diagnosticAtKey(
        ["spec", ...path],
        "has no value; write one, indented deeper than the key, or leave the key out",
      ),
    ),
    ...twiceNamed(schema, spec).map((key) =>
      document.diagnosticAtKey(
        ["spec", key],
        "is a duplicate of the same field under its other name; keep one",
      ),
    ),
    ...[...findUnreadable(schema, spec)]
      .filter(isOfPart)
      .map((unreadable) => problemOf(document, unreadable, spec, notInSpec)),
  ];
}

/** Keys of a mapping that duplicate a field under its other name. */
function twiceNamed(schema: DescMessage, json: JsonObject): string[] {
  const seen = new Set<DescField>();
  return Object.keys(json).filter((key) => {
    const field = fieldNamed(schema, key);
    const isTwice = field !== undefined && seen.has(field);
    if (field !== undefined) {
      seen.add(field);
    }
    return isTwice;
  });
}

/** An error of the whole spec is a duplicate field. */
function isOfPart({ path }: Unreadable): boolean {
  return path.length > 0;
}

function remedyOfMisplaced(key: string): string {
  return key === "etag"
    ? "is set by the server, and read when it is needed; leave it out"
    : "is made from metadata; leave it out";
}

/**
 * The paths of fields whose value is null. Proto3 JSON reads null as unset, but a wrong indentation also
 * leaves a key without a value: `allowedIn:` alone would open an extension to everyone.
 */
function emptyFields(schema: DescMessage, json: JsonValue): Step[][] {
  if (!isMapping(json)) {
    return [];
  }
  return Object.entries(json).flatMap(([key, value]) => {
    const field = fieldNamed(schema, key);
    if (field === undefined) {
      return [];
    }
    if (value === null) {
      return [[key]];
    }
    const inner = field.message;
    if (inner === undefined || isWellKnown(inner)) {
      return [];
    }
    return Array.isArray(value)
      ? value.flatMap((item, index) =>
          emptyFields(inner, item).map((path) => [key, index, ...path]),
        )
      : emptyFields(inner, value).map((path) => [key, ...path]);
  });
}

function problemOf(
  document: DocumentPart,
  { path, problem }: Unreadable,
  spec: JsonValue,
  notInSpec: readonly string[],
): Diagnostic {
  const steps = path.map((step) => (typeof step === "number" ? step : step.key));
  const last = path.at(-1);
  if (typeof last === "object" && last.field === undefined && last.holder !== undefined) {
    const known = last.holder.fields.map(({ jsonName }) => jsonName);
    const text = unknownField(known.filter((key) => !notInSpec.includes(key)));
    return document.diagnosticAtKey(["spec", ...steps], text);
  }
  const remedy = problem.includes("recursion") ? "nest it less deeply" : remedyFor(path);
  const shown = excerptOf(valueAt(spec, steps));
  const text = remedy === undefined ? problem : `${shown} is not valid; ${remedy}`;
  return document.diagnosticAt(["spec", ...steps], text);
}

/** The remedy for a value of the wrong type; undefined for an unknown field. */
function remedyFor(path: readonly JsonStep[]): string | undefined {
  const last = path.at(-1);
  const named = path.findLast((step) => typeof step === "object" && step.field !== undefined);
  if (named === undefined || typeof named === "number" || named.field === undefined) {
    return undefined;
  }
  const { field } = named;
  const isItem = last !== named;
  if (field.fieldKind === "list" && !isItem) {
    return "write a list, each item behind a hyphen";
  }
  if (field.fieldKind === "map" && !isItem) {
    return "write keys and values, indented below";
  }
  return remedyForValue(field);
}

function remedyForValue(field: DescField): string {
  if (field.enum !== undefined) {
    return oneOf(field.enum);
  }
  if (field.message !== undefined) {
    return isWellKnown(field.message)
      ? "write keys and values, indented below"
      : `write ${field.message.fields.map(({ jsonName }) => jsonName).join(", ")}, indented below`;
  }
  switch (field.scalar) {
    case ScalarType.INT32:
      return "write a whole number from -2147483648 to 2147483647";
    case ScalarType.UINT32:
      return "write a whole number from 0 to 4294967295";
    default:
      return "write a string, in quotes if it looks like another type";
  }
}

function valueAt(json: JsonValue, steps: readonly Step[]): JsonValue | undefined {
  return steps.reduce<JsonValue | undefined>((value, step) => {
    if (Array.isArray(value) && typeof step === "number") {
      return value[step];
    }
    return isMapping(value) && typeof step === "string" ? value[step] : undefined;
  }, json);
}

/** Longest excerpt of a value in an error text, in characters. */
const maxExcerpt = 80;

function excerptOf(value: JsonValue | undefined): string {
  const text = JSON.stringify(value ?? null);
  return text.length > maxExcerpt ? `${text.slice(0, maxExcerpt)}…` : text;
}
