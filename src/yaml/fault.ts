/* What makes a document unreadable, in words that help to mend it. */
import type { YAMLError } from "yaml";

/** What makes a document unreadable, and where; the first of it. */
export interface Fault {
  readonly offset: number;
  readonly message: string;
}

/** Is raised if a document cannot be read. */
export class FaultError extends Error {
  readonly fault: Fault;

  constructor(offset: number, message: string) {
    super(message);
    this.fault = { offset, message };
  }
}

/** The first of the errors that the parser has found; its own words are those of its grammar. */
export function firstFault(errors: readonly YAMLError[]): Fault | undefined {
  const [error] = errors
    // Tags are judged by cutter.ts and to-json.ts.
    .filter(({ code }) => code !== "TAG_RESOLVE_FAILED")
    .toSorted((a, b) => a.pos[0] - b.pos[0]);
  return error && { offset: error.pos[0], message: explain(error) };
}

function explain({ code, message }: YAMLError): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "a tab stands where YAML wants spaces; indent with spaces";
    case "BAD_INDENT":
      return message.startsWith("Flow ")
        ? `this is not YAML: ${message}`
        : "the indentation does not fit what stands above; begin all keys of a mapping, and all items of a list, in the same column";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return "the indentation does not fit, or quotes are missing: this value seems to go on with a key; begin all keys of a mapping in the same column, and put quotes around a value that holds ': '";
    case "BAD_COLLECTION_TYPE":
      return "the value is not of the type of its tag; leave the tag out";
    default:
      return `this is not YAML: ${message}`;
  }
}
