/* Decides where documents end, and what is refused before it is parsed; see compose.ts. */
import { CST } from "yaml";
import type { Fault } from "./fault.ts";

/** What to do with a lexeme. */
export type Cut =
  | {
      readonly kind: "go on";
      /** The document ends before the lexeme. */
      readonly endsDocument: boolean;
      /** The lexeme is not part of any document. */
      readonly isLeftOut: boolean;
    }
  | { readonly kind: "fault"; readonly fault: Fault };

/** Where the parser is. */
export interface Place {
  readonly offset: number;
  /** How many nodes enclose it. */
  readonly depth: number;
}

/** Decides lexeme by lexeme. */
export interface Cutter {
  next(lexeme: string, place: Place): Cut;
  /** What is wrong with the end of the text. */
  end(): Fault | undefined;
}

/**
 * How many keys and values a document may have. The values that a request may hold, with their keys
 * and the lists beside them, are fewer.
 */
export const maxNodes = 400_000;

/** How many lexemes a document may have, with white space, comments and punctuation. */
const maxLexemes = 2_000_000;

/**
 * How many characters a document may have. Messages of 4 MiB, which servers take by default, fit, even
 * if all of their text is written as escapes.
 */
export const maxLength = 32 * 1024 * 1024;

/** How deep a document may nest. Configuration may have 64 levels. */
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
 * What the content of a document is: none yet; a flow collection that has ended; a list that is a whole
 * document, in it; anything else.
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
      return fault(
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
      : fault(documentOffset, `the document ${size}; split it, with --- between the parts`);
  };

  const content = (type: string, lexeme: string, { offset }: Place): Cut => {
    if (type === "tag" && !tagsOfJson.test(lexeme)) {
      return fault(offset, `the tag ${lexeme} is not of a type that JSON has; leave it out`);
    }
    const isStart = type === "flow-map-start" || type === "flow-seq-start";
    const hasEnded = root === "ended";
    if (hasEnded && !isStart) {
      return fault(offset, "the document has ended before this; write --- between documents");
    }
    if (root === "none" || hasEnded) {
      beginDocument(offset);
      root = type === "flow-seq-start" ? "list" : type === "flow-map-start" ? "flow" : "block";
      flowDepth = 0;
    }
    if (isStart) {
      if (type === "flow-map-start" && /[{%]/.test(text.charAt(offset - start + 1))) {
        return fault(
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
        : fault(offset, "this is not YAML: there is no item before this comma; leave it out");
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
        return fault(listOffset, notClosed);
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
    : fault(offset, "this is not YAML: a list ends with ]; write that instead of }");
}

function fault(offset: number, message: string): Cut {
  return { kind: "fault", fault: { offset, message } };
}
