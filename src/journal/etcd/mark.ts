/** A point in the history of a catalog, as its key holds it: a head, or the key of the catalog, which is its beginning. */
export interface Mark {
  readonly revision: bigint;
  readonly value: Uint8Array;
}

/** Is earlier than every mark. */
export const noMark: Mark = { revision: 0n, value: new Uint8Array() };

/** The later one of two marks. */
export function later(one: Mark, other: Mark): Mark {
  return other.revision > one.revision ? other : one;
}
