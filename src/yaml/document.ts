/* YAML as text, with the position of everything in it. It knows nothing of what the documents mean. */
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { type Document, isScalar, LineCounter, type Node, parseAllDocuments } from "yaml";
import { faultOf } from "./fault.ts";
import { createFinder } from "./find-node.ts";
import { formatSteps, type Position, type Problem, type Step } from "./problem.ts";

/** A document that YAML can read. */
export interface YamlDocument {
  readonly value: JsonValue;
  /** Where it begins. */
  readonly position: Position;
  /** Says what is wrong with the value at a path, or with what should hold it. */
  problemAt(path: readonly Step[], message: string): Problem;
  /** Says what is wrong with the key at the end of a path. */
  problemAtKey(path: readonly Step[], message: string): Problem;
}

/** The documents of a text, or what is wrong with it. Documents that hold nothing are left out. */
export type YamlText =
  | { readonly kind: "documents"; readonly documents: readonly YamlDocument[] }
  | { readonly kind: "unreadable"; readonly problem: Problem };

/**
 * Parses YAML 1.2, and with it JSON.
 *
 * @param file - the name of the file, for positions
 */
export function parseYaml(file: string, text: string): YamlText {
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    // What a double cannot hold must not be rounded without a word.
    intAsBigInt: true,
    stringKeys: true,
    // The parser compares each key with each other one; see fault.ts.
    uniqueKeys: false,
  });
  const found: YamlDocument[] = [];
  for (const document of documents) {
    const fault = faultOf(document);
    if (fault !== undefined) {
      const { offset, message } = fault;
      return { kind: "unreadable", problem: { ...at(offset), field: "", message } };
    }
    if (document.contents !== null && !isNull(document.contents)) {
      found.push(documentOf(document, at));
    }
  }
  return { kind: "documents", documents: found };
}

type Locate = (offset: number) => Position;

function documentOf(document: Document.Parsed, at: Locate): YamlDocument {
  const find = createFinder(document);
  const positionOf = (node: Node | undefined): Position => at(node?.range?.[0] ?? 0);
  return {
    value: withNumbers(document.toJS() as WithBigInts),
    position: positionOf(document.contents ?? undefined),
    problemAt(path, message) {
      const { value } = find(path);
      return { ...positionOf(value), field: formatSteps(path), message };
    },
    problemAtKey(path, message) {
      const { key, value } = find(path);
      return { ...positionOf(key ?? value), field: formatSteps(path), message };
    },
  };
}

function isNull(node: Node): boolean {
  return isScalar(node) && node.value === null;
}

type WithBigInts =
  null | boolean | number | bigint | string | WithBigInts[] | { [key: string]: WithBigInts };

function withNumbers(value: WithBigInts): JsonValue {
  if (Array.isArray(value)) {
    return value.map(withNumbers);
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => [key, withNumbers(item)]);
    return Object.fromEntries(entries) as JsonObject;
  }
  return typeof value === "bigint" ? Number(value) : value;
}
