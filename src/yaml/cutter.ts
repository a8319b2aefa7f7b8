/* Splits lexemes into documents, and refuses some before they are parsed; see compose.ts. */
import { CST } from "yaml";
import type { OffsetDiagnostic } from "./fault.ts";

/** A decision about a lexeme. */
export type Cut =
  | {
      readonly kind: "go on";
      /** The document ends before the lexeme. */
      readonly endsDocument: boolean;
      /** The lexeme is not part of any document. */
      readonly isLeftOut: boolean;
    }
  | { readonly kind: "unreadable"; readonly diagnostic: OffsetDiagnostic };

/** Where the parser is. */
export interface Place {
  readonly offset: number;
  /** The number of nodes that enclose it. */
  readonly depth: number;
}

/** Decides lexeme by lexeme. */
export interface Cutter {
  next(lexeme: string, place: Place): Cut;
  /** What is wrong with the end of the text. */
  end(): OffsetDiagnostic | undefined;
}

/**
 * The greatest number of keys and values of a document: more than a request may hold.
 */
export const maxNodes = 400_000;

/** The greatest number of lexemes of a document, with white space, comments and punctuation. */
const maxLexemes = 2_000_000;

/**
 * The greatest number of characters of a document. A message of 4 MiB, the default limit of servers, fits
 * even if all of its text is escaped.
 */
export const maxLength = 32 * 1024 * 1024;

/** The greatest nesting of a document. Configuration may have 64 levels. */
export const maxDepth = 200;

/** The tags of the types that JSON has. */
const tagsOfJson = /^!(?:!|<tag:yaml\.org,2002:)(?:null|bool|int|float|str|seq|map)>?$/;

const goOn: Cut = { kind: "go on", endsDocument: false, isLeftOut: false };
const leaveOut: Cut = { kind: "go on", endsDocument: false, isLeftOut: true };
const begin: Cut = { kind: "go on", endsDocument: true, isLeftOut: false };
const leaveOutAndBegin: Cut = { kind: "go on", endsDocument: true, isLeftOut: true };

const blank = new Set(["space", "newline", "comment", "byte-order-mark", "doc-mode"]);
const punctuation = new Set([
  "map-value-ind",
  "comma",
  "flow-map-end",
  "flow-seq-end",
  "anchor",
  "tag",
]);

/**
 * The content of a document so far: nothing; a complete flow collection; an open list that is the whole
 * document; anything else.
 */
type Root = "none" | "ended" | "list" | "flow" | "block";

/** Creates a cutter of a text that begins at the offset `start` of its file. */
export function createCutter(text: string, start: number): Cutter {
  let root: Root = "none";
  let isScalar = false;
  let flowDepth = 0;
  let hasItem = false;
  let listOffset = start;
  let documentOffset = start;
  let nodes = 0;
  let lexemes = 0;

  const beginDocument = (offset: number): void => {
    documentOffset = offset;
    nodes = 0;
    lexemes = 0;
  };

  const excessOf = (lexeme: string, { depth, offset }: Place): Cut | undefined => {
    if (depth > maxDepth) {
      return unreadable(
        offset,
        `the document is nested too deeply, in more than ${maxDepth} levels; nest it less deeply`,
      );
    }
    const size =
      nodes > maxNodes
        ? `has more than ${maxNodes} keys and values`
        : lexemes > maxLexemes
          ? "has too many comments and line ends"
          : offset + lexeme.length - documentOffset > maxLength
            ? `has more than ${maxLength} characters`
            : undefined;
    return size === undefined
      ? undefined
      : unreadable(documentOffset, `the document ${size}; split it, with --- between the parts`);
  };

  const content = (type: string, lexeme: string, { offset }: Place): Cut => {
    if (type === "tag" && !tagsOfJson.test(lexeme)) {
      return unreadable(offset, `the tag ${lexeme} does not name a JSON type; leave it out`);
    }
    const isStart = type === "flow-map-start" || type === "flow-seq-start";
    const hasEnded = root === "ended";
    if (hasEnded && !isStart) {
      return unreadable(offset, "the document has ended before this; write --- between documents");
    }
    if (root === "none" || hasEnded) {
      beginDocument(offset);
      root = type === "flow-seq-start" ? "list" : type === "flow-map-start" ? "flow" : "block";
      flowDepth = 0;
    }
    if (isStart) {
      if (type === "flow-map-start" && /[{%]/.test(text.charAt(offset - start + 1))) {
        return unreadable(
          offset,
          "this is a template; render it first, with helm template for instance, or put quotes around the value",
        );
      }
      flowDepth++;
      if (root === "list" && flowDepth === 1) {
        listOffset = offset;
        hasItem = false;
        return hasEnded ? leaveOutAndBegin : leaveOut;
      }
    }
    if (root === "list" && flowDepth === 1 && type === "comma") {
      const had = hasItem;
      hasItem = false;
      beginDocument(offset + 1);
      return had
        ? leaveOutAndBegin
        : unreadable(offset, "this is not YAML: there is no item before this comma; leave it out");
    }
    hasItem = true;
    if (type === "flow-map-end" || type === "flow-seq-end") {
      flowDepth--;
      if (flowDepth === 0 && root !== "block") {
        const isList = root === "list";
        root = "ended";
        return isList ? endOfList(type, offset) : goOn;
      }
    }
    return hasEnded ? begin : goOn;
  };

  return {
    next(lexeme, place) {
      if (isScalar) {
        isScalar = false;
        return excessOf(lexeme, place) ?? goOn;
      }
      const type = CST.tokenType(lexeme) ?? "error";
      isScalar = type === "scalar";
      lexemes++;
      if (type === "doc-start" || type === "doc-end" || type === "directive-line") {
        root = "none";
        beginDocument(place.offset);
        return goOn;
      }
      if (type === "flow-error-end" && root === "list") {
        return unreadable(listOffset, notClosed);
      }
      if (!blank.has(type) && !punctuation.has(type)) {
        nodes++;
      }
      return excessOf(lexeme, place) ?? (blank.has(type) ? goOn : content(type, lexeme, place));
    },
    end: () => (root === "list" ? { offset: listOffset, message: notClosed } : undefined),
  };
}

const notClosed = "this is not YAML: the list that begins here is not closed; write ] at its end";

function endOfList(type: string, offset: number): Cut {
  return type === "flow-seq-end"
    ? leaveOut
    : unreadable(offset, "this is not YAML: a list ends with ]; write that instead of }");
}

function unreadable(offset: number, message: string): Cut {
  return { kind: "unreadable", diagnostic: { offset, message } };
}
