import type { JsonObject } from "@bufbuild/protobuf";
import type { DocumentPart } from "./document.ts";
import type { Diagnostic } from "./diagnostic.ts";

/** Finds the unknown keys of a mapping. */
export function diagnosticsOfKeys(
  document: DocumentPart,
  path: readonly string[],
  value: JsonObject,
  known: readonly string[],
): Diagnostic[] {
  return Object.keys(value)
    .filter((key) => !known.includes(key))
    .map((key) => document.diagnosticAtKey([...path, key], unknownField(known)));
}

/** The message for an unknown field, with the known ones. */
export function unknownField(known: readonly string[]): string {
  return `unknown field; write one of ${known.join(", ")}`;
}
