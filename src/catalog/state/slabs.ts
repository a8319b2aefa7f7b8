/* Byte arrays that are kept for long. */

/** A buffer of its own costs some 250 bytes, so short byte arrays share one. */
const maxShared = 1024;

/** How large a shared buffer is, in bytes. It lasts as long as one of its byte arrays, so it is small. */
const slabBytes = 4 * 1024;

let slab = new Uint8Array(slabBytes);
let used = 0;

/** The same bytes for keeping: a view of a buffer that holds little else. */
export function kept(bytes: Uint8Array): Uint8Array {
  const { byteLength } = bytes;
  if (byteLength > maxShared) {
    return byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
  }
  if (used + byteLength > slabBytes) {
    slab = new Uint8Array(slabBytes);
    used = 0;
  }
  const begin = used;
  used += byteLength;
  slab.set(bytes, begin);
  return slab.subarray(begin, used);
}
