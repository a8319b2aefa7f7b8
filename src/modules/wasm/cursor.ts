/** Is raised where a module ends too early, or has a number that is not one. */
export class MalformedModule extends Error {
  override name = "MalformedModule";
}

/** A place in bytes, from which their parts are read one after the other. */
export interface Cursor {
  readonly offset: number;
  readonly isAtEnd: boolean;
  byte(): number;
  /** Reads a number as WebAssembly writes it (LEB128, 32 bits). */
  number(): number;
  bytes(length: number): Uint8Array;
}

export function createCursor(from: Uint8Array): Cursor {
  let offset = 0;
  const byte = (): number => {
    const value = from[offset];
    if (value === undefined) {
      throw new MalformedModule("it is cut off");
    }
    offset += 1;
    return value;
  };
  return {
    get offset() {
      return offset;
    },
    get isAtEnd() {
      return offset >= from.byteLength;
    },
    byte,
    number() {
      let value = 0;
      for (let shift = 0; shift < 35; shift += 7) {
        const part = byte();
        value += (part & 0x7f) * 2 ** shift;
        if (part < 0x80 && value <= 0xffffffff) {
          return value;
        }
      }
      throw new MalformedModule("it has a number that is too large");
    },
    bytes(length) {
      if (length > from.byteLength - offset) {
        throw new MalformedModule("it is cut off");
      }
      offset += length;
      return from.subarray(offset - length, offset);
    },
  };
}
