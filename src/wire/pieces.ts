/*
 * Messages of protobuf as pieces, so that a large value in them is the same memory for all who get it.
 */

/** Bytes that follow one another. */
export type Pieces = readonly Uint8Array[];

/** A field of bytes or of a message, as pieces. */
export function field(number: number, value: Pieces): Pieces {
  const head = [(number << 3) | 2];
  let rest = sizeOf(value);
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
    head.push((rest & 0x7f) | 0x80);
  }
  head.push(rest);
  return [Uint8Array.from(head), ...value];
}

/** A field of text. */
export function textField(number: number, text: string): Pieces {
  return field(number, [Buffer.from(text)]);
}

/** How many bytes pieces have. */
export function sizeOf(pieces: Pieces): number {
  return pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** The greatest piece that is copied to make one of several, in bytes. */
const smallBytes = 4 * 1024;

/** The same bytes in as few pieces as there are without copying large ones. */
export function joinSmall(pieces: Pieces): Pieces {
  const joined: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = (): void => {
    if (small.length > 0) {
      joined.push(Buffer.concat(small));
      small = [];
    }
  };
  for (const piece of pieces) {
    if (piece.byteLength > smallBytes) {
      flush();
      joined.push(piece);
    } else {
      small.push(piece);
    }
  }
  flush();
  return joined;
}
