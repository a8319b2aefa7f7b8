/* Lists of objects as Kubernetes has them: `kind: List` with `items`. */
import type { JsonValue } from "@bufbuild/protobuf";
import { isMapping } from "../wire/json.ts";
import type { DocumentPart } from "./document.ts";
import type { Diagnostic, Step } from "./diagnostic.ts";
import { diagnosticsOfKeys } from "./unknown-field.ts";

/** An object of a document, or the diagnostics of a list. */
export type Member =
  | {
      readonly kind: "object";
      readonly part: DocumentPart;
      /** The way to it from the beginning of the document. */
      readonly path: readonly Step[];
    }
  | { readonly kind: "unreadable"; readonly diagnostics: readonly Diagnostic[] };

/** The members of a document: of a list those of its items, else the document itself. */
export function* membersOf(part: DocumentPart, path: readonly Step[] = []): Generator<Member> {
  const { value } = part;
  if (!isMapping(value) || value["kind"] !== "List") {
    yield { kind: "object", part, path };
    return;
  }
  const diagnostics = diagnosticsOfList(part, value);
  if (diagnostics.length > 0) {
    yield { kind: "unreadable", diagnostics };
    return;
  }
  for (const index of (value["items"] as JsonValue[]).keys()) {
    const inner = ["items", index];
    yield* membersOf(partAt(part, inner), [...path, ...inner]);
  }
}

function diagnosticsOfList(document: DocumentPart, value: Record<string, JsonValue>): Diagnostic[] {
  const isRight = value["apiVersion"] === "v1";
  return [
    ...diagnosticsOfKeys(document, [], value, ["apiVersion", "kind", "metadata", "items"]),
    ...(isRight
      ? []
      : [document.diagnosticAt(["apiVersion"], "must be v1 for a List; write that")]),
    ...(Array.isArray(value["items"])
      ? []
      : [document.diagnosticAt(["items"], "must be a list of objects; write one")]),
  ];
}

/** The part of a document at a path that it has. */
export function partAt(document: DocumentPart, path: readonly Step[]): DocumentPart {
  if (path.length === 0) {
    return document;
  }
  const value = path.reduce<JsonValue>(
    (holder, step) => (holder as Record<Step, JsonValue>)[step] ?? null,
    document.value,
  );
  return {
    value,
    get position() {
      const { file, line, column } = document.diagnosticAt(path, "");
      return { file, line, column };
    },
    diagnosticAt: (inner, message) => document.diagnosticAt([...path, ...inner], message),
    diagnosticAtKey: (inner, message) => document.diagnosticAtKey([...path, ...inner], message),
  };
}
