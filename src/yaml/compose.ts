/*
 * The documents of a text, one after the other, as the syntax trees of the YAML library.
 *
 * Between the lexer and the parser of the library:
 *
 * 1. A document that is too large or too deep is refused before it is parsed.
 * 2. A JSON object ends its document, so that another one may follow without a separator.
 * 3. Each item of a list that is a whole document, as `-o json` prints it, is a document of its own, so
 *    that the list may be of any length.
 * 4. Two braces in a row are refused as the beginning of a template.
 */
import { Composer, CST, type Document, Lexer, Parser } from "yaml";
import { createCutter } from "./cutter.ts";
import type { OffsetDiagnostic } from "./fault.ts";

/** A document, or what ends the reading of a text. */
export type Composed =
  | { readonly kind: "document"; readonly document: Document.Parsed }
  | { readonly kind: "unreadable"; readonly diagnostic: OffsetDiagnostic };

const options = {
  prettyErrors: false,
  // Scalars are resolved by scalar.ts, and keys compared by to-json.ts.
  schema: "failsafe",
  uniqueKeys: false,
  logLevel: "silent",
} as const;

/**
 * Reads documents until the end of the text, or until the first diagnostic.
 *
 * @param start - the offset of the text in its file; all offsets are given in the file
 */
export function* compose(text: string, start: number): Generator<Composed, void> {
  const parser = new Parser();
  const composer = new Composer(options);
  const cutter = createCutter(text, start);
  parser.offset = start;
  for (const lexeme of new Lexer().lex(text)) {
    const { offset } = parser;
    const cut = cutter.next(lexeme, { offset, depth: parser.stack.length });
    if (cut.kind === "unreadable") {
      yield* documents(composer.end());
      yield cut;
      return;
    }
    const tokens = cut.endsDocument ? [...parser.end()] : [];
    if (cut.isLeftOut) {
      parser.offset += lexeme.length;
    }
    if (cut.endsDocument) {
      tokens.push(...parser.next(CST.DOCUMENT));
    }
    if (!cut.isLeftOut) {
      tokens.push(...parser.next(lexeme));
    }
    if ((yield* composeTokens(composer, tokens)) !== undefined) {
      return;
    }
  }
  if ((yield* composeTokens(composer, parser.end())) !== undefined) {
    return;
  }
  yield* documents(composer.end());
  const diagnostic = cutter.end();
  if (diagnostic !== undefined) {
    yield { kind: "unreadable", diagnostic };
  }
}

/** Composes tokens; returns what ends the reading. */
function* composeTokens(
  composer: Composer,
  tokens: Iterable<CST.Token>,
): Generator<Composed, OffsetDiagnostic | undefined> {
  for (const token of tokens) {
    const diagnostic = diagnosticOfToken(token);
    if (diagnostic !== undefined) {
      yield* documents(composer.end());
      yield { kind: "unreadable", diagnostic };
      return diagnostic;
    }
    yield* documents(composer.next(token));
  }
  return undefined;
}

function* documents(composed: Iterable<Document.Parsed>): Generator<Composed> {
  for (const document of composed) {
    yield { kind: "document", document };
  }
}

function diagnosticOfToken(token: CST.Token): OffsetDiagnostic | undefined {
  if (token.type === "directive" && !/^%YAML[ \t]+1\.2(?:\s|$)/.test(token.source)) {
    const message = token.source.startsWith("%YAML")
      ? "the %YAML directive names a version other than 1.2; leave it out"
      : `the directive ${token.source} is not supported; leave it out`;
    return { offset: token.offset, message };
  }
  return undefined;
}
