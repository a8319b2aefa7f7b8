import { createHash } from "node:crypto";

/**
 * The etag of an object that is about to be stored: 8 bytes in base64, in double quotes.
 *
 * It covers the bytes of the object and the revision that the write was decided on, so it differs
 * after each change, also where a change restores what was there before.
 */
export function etagOf(decidedAt: bigint, bytes: Uint8Array): string {
  const hash = createHash("sha256").update(`${decidedAt}\n`).update(bytes).digest();
  return `"${hash.subarray(0, 8).toString("base64")}"`;
}
