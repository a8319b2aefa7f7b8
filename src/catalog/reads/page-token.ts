/** The position at which the next page of a list begins. */
export interface PageToken {
  /** Which list it belongs to. */
  readonly list: string;
  /** The store whose revision it refers to. */
  readonly incarnation: string;
  /** The revision of the state that the list walks. */
  readonly revision: bigint;
  /** The fqn of the last object that was shown. */
  readonly after: string;
}

/** The token as the opaque string that clients send back. */
export function formatPageToken({ list, incarnation, revision, after }: PageToken): string {
  return Buffer.from(JSON.stringify([list, incarnation, String(revision), after])).toString(
    "base64url",
  );
}

/** Parses a token; undefined if the text is not a token. */
export function parsePageToken(text: string): PageToken | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields) || fields.length !== 4) {
    return undefined;
  }
  const [list, incarnation, revision, after] = fields as unknown[];
  if (
    typeof list !== "string" ||
    typeof incarnation !== "string" ||
    typeof revision !== "string" ||
    typeof after !== "string" ||
    !/^\d{1,19}$/.test(revision)
  ) {
    return undefined;
  }
  return { list, incarnation, revision: BigInt(revision), after };
}
