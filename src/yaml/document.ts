/* YAML documents with the positions of their parts, whatever the documents mean. */
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
import type { OffsetDiagnostic } from "./fault.ts";
import { createFinder } from "./find-node.ts";
import { byteOrderMark, createLocator } from "./lines.ts";
import { formatSteps, type Position, type Diagnostic, type Step } from "./diagnostic.ts";
import { toJson } from "./to-json.ts";

/** A document, or a part of one, with the positions of its parts. */
export interface DocumentPart {
  readonly value: JsonValue;
  /** Where it begins. */
  readonly position: Position;
  /** A diagnostic for the value at a path, or for the innermost value on the way that exists. */
  diagnosticAt(path: readonly Step[], message: string): Diagnostic;
  /** A diagnostic for the key at the end of a path. */
  diagnosticAtKey(path: readonly Step[], message: string): Diagnostic;
}

/** A document that YAML can read. */
export interface YamlDocument extends DocumentPart {
  /**
   * Parses the document again. This keeps only the text, which is small compared to the document.
   */
  readonly readAgain: () => DocumentPart;
}

/** A document of a text, or what is wrong with the text from there on. */
export type YamlItem =
  | { readonly kind: "document"; readonly document: YamlDocument }
  | { readonly kind: "unreadable"; readonly diagnostic: Diagnostic };

/** The greatest number of empty documents in a row. Each costs as much as a small object. */
export const maxEmptyDocuments = 10_000;

/**
 * Parses YAML 1.2, which includes JSON, document by document, up to the first that cannot be read. Empty
 * documents are left out.
 *
 * @param file - the name of the file, for positions
 */
export function* parseYaml(file: string, text: string): Generator<YamlItem, void> {
  const source = { text, at: createLocator(file, text) };
  let empty = 0;
  let emptyFrom = 0;
  const unreadable = ({ offset, message }: OffsetDiagnostic): YamlItem => ({
    kind: "unreadable",
    diagnostic: { ...source.at(offset), field: "", message },
  });
  for (const [start, end] of partsOf(text)) {
    // A part without any document is empty as well.
    empty++;
    if (empty > maxEmptyDocuments) {
      yield unreadable(tooManyEmpty(emptyFrom));
      return;
    }
    for (const composed of compose(text.slice(start, end), start)) {
      const item =
        composed.kind === "unreadable" ? composed : readDocument(composed.document, source);
      if (item?.kind === "unreadable") {
        yield unreadable(item.diagnostic);
        return;
      }
      if (item !== undefined) {
        empty = 0;
        emptyFrom = composed.kind === "document" ? composed.document.range[2] : emptyFrom;
        yield item;
      } else if (++empty > maxEmptyDocuments) {
        yield unreadable(tooManyEmpty(emptyFrom));
        return;
      }
    }
  }
}

function tooManyEmpty(offset: number): OffsetDiagnostic {
  const message = `more than ${maxEmptyDocuments} empty documents follow each other from here on; leave them out`;
  return { offset, message };
}

/** The parts of a text, each of which begins with a byte order mark: concatenated files. */
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
  | { readonly kind: "unreadable"; readonly diagnostic: OffsetDiagnostic };

/** Reads a document; undefined if it is empty. */
function readDocument(document: Document.Parsed, source: Source): DocumentRead | undefined {
  const isJson = isWrittenInJson(document, source);
  const diagnostic = isJson ? undefined : unfitCharacter(document, source);
  if (diagnostic !== undefined) {
    return { kind: "unreadable", diagnostic };
  }
  const converted = toJson(document, isJson);
  if (converted.kind === "unreadable") {
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

/** Control characters, and characters that end a line in only one of YAML 1.1 and YAML 1.2. */
const unfit =
  /[^\t\n\r\x20-\x7e\u00a0-\u2027\u202a-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]|\r(?!\n)/u;

function unfitCharacter(
  { range }: Document.Parsed,
  { text }: Source,
): OffsetDiagnostic | undefined {
  const [start, , end] = range;
  const found = unfit.exec(text.slice(start, end));
  if (found === null) {
    return undefined;
  }
  const offset = start + found.index;
  if (found[0] === byteOrderMark) {
    const message =
      "unexpected byte order mark inside a line, as in concatenated files; put --- on its own line between the files, and leave the mark out";
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
  // A flow collection may be followed by the end of the list around it.
  const end = isFlow(contents) ? contents.range[1] : document.range[2];
  const positionOf = (node: Node | undefined): Position => at(node?.range?.[0] ?? start);
  return {
    value,
    position: positionOf(contents ?? undefined),
    diagnosticAt(path, message) {
      const { value: node } = find(path);
      return { ...positionOf(node), field: formatSteps(path), message: hinted(node, message) };
    },
    diagnosticAtKey(path, message) {
      const { key, value: node } = find(path);
      return { ...positionOf(key ?? node), field: formatSteps(path), message };
    },
    readAgain: createReadAgain(source, start, end),
  };
}

// A separate function, since a closure in the one above would keep the document in memory.
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

/** Adds a remedy to a diagnostic if the text looks like a template. */
function hinted(node: Node | undefined, message: string): string {
  return isScalar(node) && node.source?.includes("{{") === true
    ? `${message}; if it is a template, render it first`
    : message;
}
