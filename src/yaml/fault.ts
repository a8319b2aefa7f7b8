/* Diagnostics of documents that cannot be read, each with its remedy. */
import type { YAMLError } from "yaml";

/** A diagnostic at an offset into the text. */
export interface OffsetDiagnostic {
  readonly offset: number;
  readonly message: string;
}

/** Is raised if a document cannot be read. */
export class UnreadableError extends Error {
  readonly diagnostic: OffsetDiagnostic;

  constructor(offset: number, message: string) {
    super(message);
    this.diagnostic = { offset, message };
  }
}

/** The first error of the parser, reworded where its message is about the grammar. */
export function firstDiagnostic(errors: readonly YAMLError[]): OffsetDiagnostic | undefined {
  const [error] = errors
    // cutter.ts and to-json.ts check tags.
    .filter(({ code }) => code !== "TAG_RESOLVE_FAILED")
    .toSorted((a, b) => a.pos[0] - b.pos[0]);
  return error && { offset: error.pos[0], message: explain(error) };
}

function explain({ code, message }: YAMLError): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "tabs are not allowed for indentation; indent with spaces";
    case "BAD_INDENT":
      return message.startsWith("Flow ")
        ? `this is not YAML: ${message}`
        : "the indentation does not match the lines above; begin all keys of a mapping, and all items of a list, in the same column";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return "wrong indentation or missing quotes: the value seems to continue with a key; begin all keys of a mapping in the same column, and put quotes around a value that holds ': '";
    case "BAD_COLLECTION_TYPE":
      return "the value does not have the type of its tag; leave the tag out";
    default:
      return `this is not YAML: ${message}`;
  }
}
