import { randomFillSync } from "node:crypto";
import { etagBytes } from "../rules/etag.ts";

/** Random bytes that have not been used. The system is asked for many at once, since asking takes long. */
const pool = Buffer.alloc(512 * etagBytes);
let next = pool.byteLength;

/**
 * Makes an etag: bytes in base64 in double quotes.
 *
 * The bytes are random: a digest would let callers test guesses at what they may not see of the object.
 */
export function newEtag(): string {
  if (next === pool.byteLength) {
    randomFillSync(pool);
    next = 0;
  }
  next += etagBytes;
  return `"${pool.toString("base64", next - etagBytes, next)}"`;
}
