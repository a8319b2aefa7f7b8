/* Calls as frames of HTTP/2. */
import type { Call } from "./calls.ts";

export const frame = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
};
export const flag = { ack: 1, endStream: 1, endHeaders: 4 };
export const headBytes = 9;

/** The frames of a call; the stream's number is filled in when it is sent. */
export interface PreparedCall {
  readonly bytes: Buffer;
  /** Where the frame with the body begins, and the body. */
  readonly dataAt: number;
  readonly bodyAt: number;
}

/** Prepares a call. */
export function prepareCall({ path, headers, body }: Call): PreparedCall {
  // Entries 3 and 6 of the static table are `:method: POST` and `:scheme: http`; 1 and 4 name the others.
  const block = Buffer.concat([
    Buffer.from([0x83, 0x86, 0x01]),
    text("127.0.0.1"),
    Buffer.from([0x04]),
    text(path),
    ...Object.entries(headers).flatMap(([name, value]) => [
      Buffer.from([0]),
      text(name),
      text(value),
    ]),
  ]);
  const dataAt = headBytes + block.byteLength;
  const bytes = Buffer.concat([
    frameHead(block.byteLength, frame.headers, flag.endHeaders),
    block,
    frameHead(body.byteLength, frame.data, flag.endStream),
    body,
  ]);
  return { bytes, dataAt, bodyAt: dataAt + headBytes };
}

/** A text as HPACK has it, uncompressed. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length: number[] = [];
  let left = bytes.byteLength;
  if (left < 127) {
    length.push(left);
  } else {
    length.push(127);
    for (left -= 127; left > 127; left >>= 7) {
      length.push((left & 127) | 128);
    }
    length.push(left);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** The head of a frame. */
export function frameHead(length: number, type: number, flags: number, stream = 0): Buffer {
  const bytes = Buffer.alloc(headBytes);
  bytes.writeUIntBE(length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  return bytes;
}
