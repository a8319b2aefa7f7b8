import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** The position at which the next page of a list begins. */
export interface PageToken {
  /** Which list it belongs to. */
  readonly list: string;
  /** The revision of the state that the list walks. */
  readonly revision: bigint;
  /** The fqn of the last object that was shown. */
  readonly after: string;
}

/** Tokens as opaque strings that clients send back. They are signed, and belong to those who got them. */
export interface PageTokens {
  /**
   * Writes a token.
   *
   * @param owner - the name of the caller who gets it
   */
  format(owner: string, token: PageToken): string;
  /**
   * Reads a token; `expired` if it is of another process or of a store before it was restored; undefined
   * if it is not one that this caller got.
   */
  parse(owner: string, text: string): PageToken | "expired" | undefined;
}

const macBytes = 16;

/** Creates tokens with a key of their own. */
export function createPageTokens(): PageTokens {
  const key = randomBytes(32);
  const epoch = randomBytes(8).toString("base64url");
  const macOf = (owner: string, body: string): Buffer =>
    createHmac("sha256", key)
      .update(JSON.stringify([owner, body]))
      .digest()
      .subarray(0, macBytes);
  return {
    format(owner, { list, revision, after }) {
      const body = JSON.stringify([epoch, list, String(revision), after]);
      return Buffer.concat([macOf(owner, body), Buffer.from(body)]).toString("base64url");
    },
    parse(owner, text) {
      const bytes = Buffer.from(text, "base64url");
      const body = bytes.subarray(macBytes).toString();
      const fields = fieldsOf(body);
      if (fields === undefined) {
        return undefined;
      }
      const [of, list, revision, after] = fields;
      if (of !== epoch) {
        return "expired";
      }
      return timingSafeEqual(bytes.subarray(0, macBytes), macOf(owner, body))
        ? { list, revision: BigInt(revision), after }
        : undefined;
    },
  };
}

function fieldsOf(body: string): [string, string, string, string] | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(body);
  } catch {
    return undefined;
  }
  return Array.isArray(fields) &&
    fields.length === 4 &&
    fields.every((field) => typeof field === "string") &&
    /^\d{1,19}$/.test(fields[2] ?? "")
    ? (fields as [string, string, string, string])
    : undefined;
}
