/* YAML as text, with the position of everything in it. It knows nothing of what the documents mean. */
import type { JsonValue } from "@bufbuild/protobuf";
import {
  type Alias,
  type Document,
  isCollection,
  isScalar,
  type Node,
  type ParsedNode,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { compose } from "./compose.ts";
import { escaped } from "./escape.ts";
import type { Fault } from "./fault.ts";
import { createFinder } from "./find-node.ts";
import { byteOrderMark, createLocator } from "./lines.ts";
import { formatSteps, type Position, type Problem, type Step } from "./problem.ts";
import { toJson } from "./to-json.ts";

/** A document, or a part of one, with the position of everything in it. */
export interface DocumentPart {
  readonly value: JsonValue;
  /** Where it begins. */
  readonly position: Position;
  /** Says what is wrong with the value at a path, or with what should hold it. */
  problemAt(path: readonly Step[], message: string): Problem;
  /** Says what is wrong with the key at the end of a path. */
  problemAtKey(path: readonly Step[], message: string): Problem;
}

/** A document that YAML can read. */
export interface YamlDocument extends DocumentPart {
  /**
   * Reads the document once more. This holds the text alone, which takes a small part of the memory
   * that a document takes.
   */
  readonly readAgain: () => DocumentPart;
}

/** A document of a text, or what is wrong with the text from there on. */
export type YamlItem =
  | { readonly kind: "document"; readonly document: YamlDocument }
  | { readonly kind: "unreadable"; readonly problem: Problem };

/**
 * Parses YAML 1.2, and with it JSON, document by document. It ends with the first that cannot be read.
 * Documents that hold nothing are left out.
 *
 * @param file - the name of the file, for positions
 */
export function* parseYaml(file: string, text: string): Generator<YamlItem, void> {
  const source = { text, at: createLocator(file, text) };
  for (const [start, end] of partsOf(text)) {
    for (const composed of compose(text.slice(start, end), start)) {
      const item = composed.kind === "fault" ? composed : readDocument(composed.document, source);
      if (item?.kind === "fault") {
        const { offset, message } = item.fault;
        yield { kind: "unreadable", problem: { ...source.at(offset), field: "", message } };
        return;
      }
      if (item !== undefined) {
        yield item;
      }
    }
  }
}

/** The parts of a text that begin with a byte order mark: files that were joined. */
function* partsOf(text: string): Generator<[start: number, end: number]> {
  let start = text.startsWith(byteOrderMark) ? 1 : 0;
  for (const { index } of text.matchAll(/(?<=\n)\ufeff/g)) {
    yield [start, index];
    start = index + 1;
  }
  yield [start, text.length];
}

interface Source {
  readonly text: string;
  readonly at: (offset: number) => Position;
}

type DocumentRead =
  | { readonly kind: "document"; readonly document: YamlDocument }
  | { readonly kind: "fault"; readonly fault: Fault };

/** Reads a document; undefined if it holds nothing. */
function readDocument(document: Document.Parsed, source: Source): DocumentRead | undefined {
  const isJson = isWrittenInJson(document, source);
  const fault = isJson ? undefined : unfitCharacter(document, source);
  if (fault !== undefined) {
    return { kind: "fault", fault };
  }
  const converted = toJson(document, isJson);
  if (converted.kind === "fault") {
    return converted;
  }
  return converted.value === null
    ? undefined
    : { kind: "document", document: documentOf(document, converted, source) };
}

function isWrittenInJson({ contents }: Document.Parsed, { text }: Source): boolean {
  if (!isFlow(contents)) {
    return false;
  }
  try {
    JSON.parse(text.slice(contents.range[0], contents.range[1]));
    return true;
  } catch {
    return false;
  }
}

/** Tells whether a node is a collection in brackets or braces, as in JSON. */
function isFlow(node: ParsedNode | null): node is YAMLMap.Parsed | YAMLSeq.Parsed {
  return isCollection(node) && node.flow === true;
}

/** Control characters, and those that end a line in YAML 1.1 and not in YAML 1.2, or the reverse. */
const unfit =
  /[^\t\n\r\x20-\x7e\u00a0-\u2027\u202a-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]|\r(?!\n)/u;

function unfitCharacter({ range }: Document.Parsed, { text }: Source): Fault | undefined {
  const [start, , end] = range;
  const found = unfit.exec(text.slice(start, end));
  if (found === null) {
    return undefined;
  }
  const offset = start + found.index;
  if (found[0] === byteOrderMark) {
    const message =
      "a byte order mark stands inside of a line: files were joined; put --- on a line of its own between them, and leave the mark out";
    return { offset, message };
  }
  const message = `the character ${escaped(found[0])} cannot be written as it is; write it as "${escaped(found[0])}", in double quotes, or leave it out`;
  return { offset, message };
}

function documentOf(
  document: Document.Parsed,
  { value, targets }: { value: JsonValue; targets: ReadonlyMap<Alias, Node> },
  source: Source,
): YamlDocument {
  const { at } = source;
  const find = createFinder(document, targets);
  const { contents } = document;
  const [start] = document.range;
  // What follows a flow collection may be the end of the list that it is in.
  const end = isFlow(contents) ? contents.range[1] : document.range[2];
  const positionOf = (node: Node | undefined): Position => at(node?.range?.[0] ?? start);
  return {
    value,
    position: positionOf(contents ?? undefined),
    problemAt(path, message) {
      const { value: node } = find(path);
      return { ...positionOf(node), field: formatSteps(path), message: hinted(node, message) };
    },
    problemAtKey(path, message) {
      const { key, value: node } = find(path);
      return { ...positionOf(key ?? node), field: formatSteps(path), message };
    },
    readAgain: createReadAgain(source, start, end),
  };
}

// Not in the function above: what is made there holds the document.
function createReadAgain(source: Source, start: number, end: number): () => DocumentPart {
  return () => {
    for (const composed of compose(source.text.slice(start, end), start)) {
      const read =
        composed.kind === "document" ? readDocument(composed.document, source) : undefined;
      if (read?.kind === "document") {
        return read.document;
      }
    }
    throw new Error(`the document from ${start} to ${end} cannot be read again`);
  };
}

/** Adds to what is wrong with a text what it looks like. */
function hinted(node: Node | undefined, message: string): string {
  return isScalar(node) && node.source?.includes("{{") === true
    ? `${message}; if it is a template, render it first`
    : message;
}
