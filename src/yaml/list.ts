/* Lists of objects as Kubernetes has them: `kind: List` with `items`. */
import type { JsonValue } from "@bufbuild/protobuf";
import { isMapping } from "../wire/json.ts";
import type { DocumentPart } from "./document.ts";
import type { Problem, Step } from "./problem.ts";
import { problemsOfKeys } from "./unknown-field.ts";

/** An object of a document, or what is wrong with a list. */
export type Member =
  | {
      readonly kind: "object";
      readonly part: DocumentPart;
      /** The way to it from the beginning of the document. */
      readonly path: readonly Step[];
    }
  | { readonly kind: "unreadable"; readonly problems: readonly Problem[] };

/** The members of a document: of a list those of its items, else the document itself. */
export function* membersOf(part: DocumentPart, path: readonly Step[] = []): Generator<Member> {
  const { value } = part;
  if (!isMapping(value) || value["kind"] !== "List") {
    yield { kind: "object", part, path };
    return;
  }
  const problems = problemsOfList(part, value);
  if (problems.length > 0) {
    yield { kind: "unreadable", problems };
    return;
  }
  for (const index of (value["items"] as JsonValue[]).keys()) {
    const inner = ["items", index];
    yield* membersOf(partAt(part, inner), [...path, ...inner]);
  }
}

function problemsOfList(document: DocumentPart, value: Record<string, JsonValue>): Problem[] {
  const isRight = value["apiVersion"] === "v1";
  return [
    ...problemsOfKeys(document, [], value, ["apiVersion", "kind", "metadata", "items"]),
    ...(isRight ? [] : [document.problemAt(["apiVersion"], "a List has v1 here; write that")]),
    ...(Array.isArray(value["items"])
      ? []
      : [document.problemAt(["items"], "a List has a list of objects here; write one")]),
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
      const { file, line, column } = document.problemAt(path, "");
      return { file, line, column };
    },
    problemAt: (inner, message) => document.problemAt([...path, ...inner], message),
    problemAtKey: (inner, message) => document.problemAtKey([...path, ...inner], message),
  };
}
