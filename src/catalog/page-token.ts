/** Where a list goes on. */
export interface PageToken {
  /** Which list it belongs to. */
  readonly list: string;
  /** The revision of the state that the list walks. */
  readonly revision: bigint;
  /** The fqn of the last object that was shown. */
  readonly after: string;
}

/** The token as the opaque string that clients send back. */
export function formatPageToken({ list, revision, after }: PageToken): string {
  return Buffer.from(JSON.stringify([list, String(revision), after])).toString("base64url");
}

/** Reads a token; undefined if the text is none. */
export function parsePageToken(text: string): PageToken | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields) || fields.length !== 3) {
    return undefined;
  }
  const [list, revision, after] = fields as unknown[];
  if (typeof list !== "string" || typeof revision !== "string" || typeof after !== "string") {
    return undefined;
  }
  return /^\d{1,19}$/.test(revision) ? { list, revision: BigInt(revision), after } : undefined;
}
