import type { JsonObject } from "@bufbuild/protobuf";
import type { DocumentPart } from "./document.ts";
import type { Problem } from "./problem.ts";

/** Finds the keys of a mapping that are not among those which it may have. */
export function problemsOfKeys(
  document: DocumentPart,
  path: readonly string[],
  value: JsonObject,
  known: readonly string[],
): Problem[] {
  return Object.keys(value)
    .filter((key) => !known.includes(key))
    .map((key) => document.problemAtKey([...path, key], unknownField(known)));
}

/** Says that a field is unknown, and which there are. */
export function unknownField(known: readonly string[]): string {
  return `unknown field; write one of ${known.join(", ")}`;
}
