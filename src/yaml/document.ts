/* YAML as text, with the position of everything in it. It knows nothing of what the documents mean. */
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Alias } from "yaml";
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  visit,
  type YAMLError,
} from "yaml";
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
  });
  const found: YamlDocument[] = [];
  for (const document of documents) {
    // Tags and directives that are not known are warnings: the value may not be what was meant.
    const [error] = [...document.errors, ...document.warnings].toSorted(
      (a, b) => a.pos[0] - b.pos[0],
    );
    const problem =
      error === undefined
        ? (problemOfAliases(document, at) ?? problemOfNumbers(document, at))
        : { ...at(error.pos[0]), field: "", message: explain(error, text) };
    if (problem !== undefined) {
      return { kind: "unreadable", problem };
    }
    if (document.contents !== null && !isNull(document.contents)) {
      found.push(documentOf(document, at));
    }
  }
  return { kind: "documents", documents: found };
}

type Locate = (offset: number) => Position;

function documentOf(document: Document.Parsed, at: Locate): YamlDocument {
  const positionOf = (node: Node | undefined): Position => at(node?.range?.[0] ?? 0);
  return {
    value: withNumbers(document.toJS() as WithBigInts),
    position: positionOf(document.contents ?? undefined),
    problemAt(path, message) {
      const { value } = walk(document, path);
      return { ...positionOf(value), field: formatSteps(path), message };
    },
    problemAtKey(path, message) {
      const { key, value } = walk(document, path);
      return { ...positionOf(key ?? value), field: formatSteps(path), message };
    },
  };
}

/** The key and the value at a path, or those of the innermost that there is on the way. */
function walk(
  document: Document.Parsed,
  path: readonly Step[],
): { key: Node | undefined; value: Node | undefined } {
  let key: Node | undefined;
  let value: Node | undefined = document.contents ?? undefined;
  for (const step of path) {
    const inner = value && child(document, value, step);
    if (inner === undefined) {
      break;
    }
    key = nodeOf(inner.key);
    value = nodeOf(inner.value) ?? key;
  }
  return { key, value };
}

function child(
  document: Document.Parsed,
  node: Node,
  step: Step,
): { key: unknown; value: unknown } | undefined {
  const holder = isAlias(node) ? node.resolve(document) : node;
  if (isMap(holder)) {
    return holder.items.find((pair: Pair) => isScalar(pair.key) && pair.key.value === step);
  }
  return isSeq(holder) && typeof step === "number" && step < holder.items.length
    ? { key: undefined, value: holder.items[step] }
    : undefined;
}

function nodeOf(value: unknown): Node | undefined {
  return isNode(value) ? value : undefined;
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

/** Many aliases of aliases make a small text a huge value; no object needs nearly as many. */
const maxAliases = 100;

function problemOfAliases(document: Document.Parsed, at: Locate): Problem | undefined {
  let problem: Problem | undefined;
  let count = 0;
  visit(document, {
    Alias(_key, node: Alias) {
      count++;
      const isUnknown = node.resolve(document) === undefined;
      if (isUnknown || count > maxAliases) {
        const message = isUnknown
          ? `*${node.source} names an anchor that does not stand before it; write &${node.source} there, or put quotes around the value`
          : `there are more than ${maxAliases} aliases; write the values out`;
        problem = { ...at(node.range?.[0] ?? 0), field: "", message };
        return visit.BREAK;
      }
      return undefined;
    },
  });
  return problem;
}

/** JSON has no infinity and no NaN, and its numbers are doubles wherever config is read. */
function problemOfNumbers(document: Document.Parsed, at: Locate): Problem | undefined {
  let problem: Problem | undefined;
  visit(document, {
    Scalar(_key, node) {
      const { value } = node;
      const text = node.source ?? String(value);
      const isInexact = typeof value === "bigint" && !isExact(value);
      if (isInexact || (typeof value === "number" && !Number.isFinite(value))) {
        const message = isInexact
          ? `${text} is more than a number of JSON holds exactly; put quotes around it to make it a string`
          : `${text} has no form in JSON; write a finite number, or put quotes around it`;
        problem = { ...at(node.range?.[0] ?? 0), field: "", message };
        return visit.BREAK;
      }
      return undefined;
    },
  });
  return problem;
}

/** What a double holds, or what a double of that value is written as. */
function isExact(value: bigint): boolean {
  const double = Number(value);
  return Number.isFinite(double) && (BigInt(double) === value || String(double) === String(value));
}

/** Says what is wrong in words that help to mend it; the parser's own are those of its grammar. */
function explain({ code, message, pos }: YAMLError, text: string): string {
  const [line = ""] = text.slice(pos[0]).split("\n", 1);
  switch (code) {
    case "TAB_AS_INDENT":
      return "a tab stands where YAML wants spaces; indent with spaces";
    case "DUPLICATE_KEY":
      return `the key ${line.split(":", 1)[0] ?? ""} stands twice in the same mapping; keep one`;
    case "BAD_INDENT":
      return "the indentation does not fit what stands above; begin all keys of a mapping, and all items of a list, in the same column";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return "the indentation does not fit, or quotes are missing: this value seems to go on with a key; begin all keys of a mapping in the same column, and put quotes around a value that holds ': '";
    case "RESOURCE_EXHAUSTION":
      return "the document is nested too deeply; flatten it";
    case "TAG_RESOLVE_FAILED":
      return `${message}; leave the tag out`;
    default:
      return `this is no YAML: ${message}`;
  }
}
