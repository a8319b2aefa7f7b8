/**
 * Bytes that arrive in chunks, joined as they come. Chunks may be as small as a byte, so none is kept:
 * each would take many times its size, and hold the memory that it was read into.
 */
export interface Received {
  /** The number of bytes. */
  readonly length: number;
  /** Adds a copy of a chunk; returns all bytes. They are valid until the next call. */
  add(chunk: Uint8Array): Buffer;
  /** Removes all bytes. What was returned stays as it is. */
  clear(): void;
}

const none = Buffer.alloc(0);

/** Creates an empty collection. */
export function createReceived(): Received {
  let buffer = none;
  let length = 0;
  return {
    get length() {
      return length;
    },
    add(chunk) {
      const needed = length + chunk.byteLength;
      if (needed > buffer.length) {
        // Twice as much as before, so that each byte is copied about once, however small the chunks are.
        const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * length));
        buffer.copy(larger, 0, 0, length);
        buffer = larger;
      }
      buffer.set(chunk, length);
      length = needed;
      return buffer.subarray(0, length);
    },
    clear() {
      buffer = none;
      length = 0;
    },
  };
}
