/*
 * A client of HTTP/2 that sends prepared bytes and reads frames alone, so that it is not the client that is
 * measured. Its windows are so large that no server waits for it. It sends so little that it needs no
 * account of the server's windows.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { createMessages, type Messages, takeMessages } from "./messages.ts";
import { flag, frame, frameHead, headBytes, type PreparedCall } from "./prepared-call.ts";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const largestWindow = 2 ** 31 - 1;

/** How much may arrive on a connection before it is told to send more, in bytes. */
const refillBytes = 2 ** 29;

/** What is told of what arrives. */
export interface FrameListener {
  /** A whole message of gRPC has arrived. */
  readonly onMessage: () => void;
  /** A stream has ended, after a number of messages. */
  readonly onEnd: (messages: number) => void;
  /** The connection is of no use any more. */
  readonly onFailure: (problem: Error) => void;
}

/** A connection. */
export interface FrameConnection {
  /** Sends a call on a stream of its own. */
  send(call: PreparedCall): void;
  close(): void;
}

function windowUpdate(increment: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(increment);
  return Buffer.concat([frameHead(4, frame.windowUpdate, 0), bytes]);
}

/** Connects to a server of this machine. */
export async function openFrames(port: number, listener: FrameListener): Promise<FrameConnection> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const initialWindow = Buffer.alloc(6);
  initialWindow.writeUInt16BE(4);
  initialWindow.writeUInt32BE(largestWindow, 2);
  socket.write(
    Buffer.concat([
      preface,
      frameHead(initialWindow.byteLength, frame.settings, 0),
      initialWindow,
      windowUpdate(largestWindow - 65_535),
    ]),
  );
  const streams = new Map<number, Messages>();
  let unread: Buffer = Buffer.alloc(0);
  let arrived = 0;
  let nextStream = 1;
  let isClosed = false;

  const fail = (problem: string): void => {
    if (!isClosed) {
      isClosed = true;
      socket.destroy();
      listener.onFailure(new Error(problem));
    }
  };
  const end = (stream: number): void => {
    const state = streams.get(stream);
    streams.delete(stream);
    listener.onEnd(state?.count ?? 0);
  };
  const takeFrame = (bytes: Buffer, at: number, length: number): void => {
    const [type, flags = 0] = [bytes[at + 3], bytes[at + 4]];
    const stream = bytes.readUInt32BE(at + 5);
    switch (type) {
      case frame.data: {
        arrived += length;
        const state = streams.get(stream);
        if (state !== undefined) {
          takeMessages(state, bytes, at + headBytes, at + headBytes + length, listener.onMessage);
        }
        break;
      }
      case frame.settings:
        if ((flags & flag.ack) === 0) {
          socket.write(frameHead(0, frame.settings, flag.ack));
        }
        return;
      case frame.ping:
        if ((flags & flag.ack) === 0) {
          const payload = bytes.subarray(at + headBytes, at + headBytes + length);
          socket.write(Buffer.concat([frameHead(length, frame.ping, flag.ack), payload]));
        }
        return;
      case frame.reset:
        fail(`the server has reset stream ${stream}`);
        return;
      case frame.goAway:
        fail("the server has ended the connection");
        return;
      case frame.headers:
        break;
      default:
        return;
    }
    if ((flags & flag.endStream) !== 0) {
      end(stream);
    }
  };
  socket.on("data", (chunk: Buffer) => {
    const bytes = unread.byteLength === 0 ? chunk : Buffer.concat([unread, chunk]);
    let at = 0;
    socket.cork();
    while (at + headBytes <= bytes.byteLength) {
      const length = bytes.readUIntBE(at, 3);
      if (at + headBytes + length > bytes.byteLength) {
        break;
      }
      takeFrame(bytes, at, length);
      at += headBytes + length;
    }
    unread = bytes.subarray(at);
    if (arrived >= refillBytes) {
      socket.write(windowUpdate(arrived));
      arrived = 0;
    }
    socket.uncork();
  });
  socket.on("error", (error) => {
    fail(error.message);
  });
  socket.on("close", () => {
    fail("the server has closed the connection");
  });
  return {
    send({ bytes, dataAt }) {
      const copy = Buffer.from(bytes);
      copy.writeUInt32BE(nextStream, 5);
      copy.writeUInt32BE(nextStream, dataAt + 5);
      streams.set(nextStream, createMessages());
      nextStream += 2;
      socket.write(copy);
    },
    close() {
      isClosed = true;
      socket.destroy();
    },
  };
}
