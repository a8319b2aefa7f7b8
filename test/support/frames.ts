/*
 * HTTP/2 frame by frame, for what no client would send.
 */
import { connect, type Socket } from "node:net";

const types = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** What a connection of HTTP/2 begins with: the preface, and SETTINGS that set nothing. */
export const connectionStart: Uint8Array = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame("SETTINGS", 0, 0),
]);

/** Flags of frames. Acknowledgements have the one that ends streams elsewhere. */
export const flags = { none: 0, endStream: 1, acknowledged: 1, endHeaders: 4 };

/** A frame of HTTP/2. */
export function frame(
  type: keyof typeof types,
  flag: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Uint8Array {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head.writeUInt8(types[type], 3);
  head.writeUInt8(flag, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** The frame that gives a stream up: RST_STREAM with CANCEL. */
export function reset(stream: number): Uint8Array {
  return frame("RST_STREAM", flags.none, stream, Buffer.from([0, 0, 0, 8]));
}

/** A header field that the decoder has to remember (RFC 7541, section 6.2.1). */
export function remembered(name: string, value: string): Uint8Array {
  const text = (of: string): Uint8Array => Buffer.from([of.length, ...Buffer.from(of)]);
  return Buffer.concat([Buffer.from([0x40]), text(name), text(value)]);
}

/** The head of a call, of gRPC unless it says otherwise, and a form of it of 6 bytes for all calls of a connection after the first. */
export function callHead(
  path: string,
  contentType = "application/grpc",
): { first: Uint8Array; further: Uint8Array } {
  const [post, http] = [0x83, 0x86];
  return {
    first: Buffer.concat([
      Buffer.from([post, http]),
      remembered(":path", path),
      remembered(":authority", "localhost"),
      remembered("content-type", contentType),
      remembered("te", "trailers"),
    ]),
    // What has been remembered last is number 62.
    further: Buffer.from([post, http, 0x80 + 65, 0x80 + 64, 0x80 + 63, 0x80 + 62]),
  };
}

/** A connection that is written to, as long as it lasts. */
export interface RawConnection {
  readonly socket: Socket;
  /** What has come back. */
  received(): Uint8Array;
  /** Whether it has ended. */
  hasEnded(): boolean;
  /** Writes; resolves when there is room for more, or never will be. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Opens a connection of HTTP/2 with the preface. */
export function openRaw(port: number): RawConnection {
  const socket = connect(port, "127.0.0.1");
  const chunks: Uint8Array[] = [];
  // An end is an end, in good order or not.
  socket.on("error", () => undefined);
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.write(connectionStart);
  return {
    socket,
    received: () => Buffer.concat(chunks),
    hasEnded: () => socket.destroyed,
    async write(bytes) {
      if (!socket.destroyed && !socket.write(bytes)) {
        await new Promise<void>((resolve) => {
          const done = (): void => {
            socket.off("drain", done).off("close", done);
            resolve();
          };
          socket.on("drain", done).on("close", done);
        });
      }
      // Leaves time for what comes back.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
