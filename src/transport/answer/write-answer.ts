import { constants } from "node:http2";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { CallReport } from "../../rpc/call-report.ts";
import { rpcError } from "../../rpc/errors.ts";
import type { Exchange, Sink } from "../exchange.ts";
import { flushHead } from "../node-http.ts";
import { grpcMessage } from "./grpc-message.ts";
import { discardRest } from "./unfinished-request.ts";
import type { Hold, UnreadAnswers } from "./unread-answers.ts";

/** Is raised if an answer cannot go on: its client is gone, or has left too much unread. */
export class AnswerCut extends Error {}

/** How an answer is written. */
export interface WriteOptions {
  readonly unread: UnreadAnswers;
  /** Whether the answer is one message. */
  readonly isWhole: boolean;
  /** Is told if the answer is cut off because it is not read. */
  readonly report: CallReport;
}

/**
 * Writes an answer of Connect, as fast as its client reads it.
 *
 * Raises AnswerCut, or RESOURCE_EXHAUSTED before anything is written if too much waits to be read
 * already, or whatever the body raises.
 */
export async function writeAnswer(
  { status, header, trailer, body }: UniversalServerResponse,
  exchange: Exchange,
  options: WriteOptions,
): Promise<void> {
  const { response } = exchange;
  const writeHead = (): void => {
    exchange.begin(status, toNodeHeaders(header), trailer !== undefined);
    if (isUnfinished(exchange)) {
      // The rest of the request would be taken for the next one.
      response.setHeader("Connection", "close");
    }
  };
  const chunks = (body ?? noBody)[Symbol.asyncIterator]();
  try {
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      if (exchange.isGone) {
        throw new AnswerCut();
      }
      if (options.isWhole || !isWrittenAtOnce(next.value, exchange)) {
        await writeChunk(next.value, exchange, options, writeHead);
      }
    }
    if (exchange.isGone) {
      throw new AnswerCut();
    }
    if (!exchange.hasBegun) {
      writeHead();
      // Without that, Node would end the answer with its head, and leave out the trailers.
      flushHead(response);
    }
    if (isUnfinished(exchange) && !("stream" in response)) {
      await discardRest(response.req);
    }
    exchange.end(undefined, trailer && toNodeHeaders(inGrpcForm(trailer)));
  } finally {
    // Tells the service that nothing more is wanted.
    await chunks.return?.();
  }
}

/** Tells whether a client is still sending a request that has been answered; HTTP/2 can tell it to stop. */
function isUnfinished({ response }: Exchange): boolean {
  return !("stream" in response) && !response.req.complete;
}

/** How much is handed to a connection at once, in bytes: a frame of HTTP/2. */
export const sliceBytes = 16 * 1024;

/** The same where few others of the connection wait, as on those of proxies, whose modules are megabytes. */
const largeSliceBytes = 128 * 1024;
const few = 4;

/**
 * Writes a small message of a stream, if the stream has room for it and more; returns whether it has. Such
 * a message does not count as unread.
 */
export function isWrittenAtOnce(chunk: Uint8Array, { sink, hasBegun }: Exchange): boolean {
  const { byteLength } = chunk;
  const room = sink.writableHighWaterMark - sink.writableLength;
  if (byteLength > sliceBytes || byteLength >= room || !hasBegun) {
    return false;
  }
  sink.write(chunk);
  return true;
}

/**
 * Writes a chunk in slices, and waits between them for the client. What is handed to an HTTP/2 stream
 * at once counts against the memory of its session until it is sent, also when the client has refused
 * it; with megabytes of that, Node refuses every further stream of the connection.
 *
 * Raises AnswerCut, or RESOURCE_EXHAUSTED if nothing has been written and too much waits to be read.
 *
 * @param writeHead - is called before the first byte of the answer
 */
export async function writeChunk(
  chunk: Uint8Array,
  exchange: Exchange,
  { unread, isWhole, report }: WriteOptions,
  writeHead: () => void,
): Promise<void> {
  const end = (): void => {
    report(Code.ResourceExhausted);
    exchange.abandon(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  const shutDown = (): void => {
    report(Code.Unavailable);
    // gRPC clients report this code as UNAVAILABLE; a status cannot reach a client that does not read.
    exchange.abandon(constants.NGHTTP2_REFUSED_STREAM);
  };
  const hold = unread.hold({ exchange, bytes: chunk.byteLength, isWhole, end, shutDown });
  if (hold === undefined) {
    if (!exchange.hasBegun) {
      throw unreadAnswers();
    }
    end();
    throw new AnswerCut();
  }
  try {
    if (!exchange.hasBegun) {
      writeHead();
    }
    await writeSlices(chunk, exchange, hold);
    if (exchange.isGone) {
      throw new AnswerCut();
    }
  } finally {
    hold.release();
  }
}

async function writeSlices(chunk: Uint8Array, exchange: Exchange, hold: Hold): Promise<void> {
  const { sink } = exchange;
  for (let start = 0; start < chunk.byteLength;) {
    if (exchange.isGone) {
      return;
    }
    const slice = chunk.subarray(start, start + (hold.others < few ? largeSliceBytes : sliceBytes));
    start += slice.byteLength;
    if (!sink.write(slice)) {
      await drained(sink);
      hold.progress();
    }
  }
}

/** Resolves when more can be written, or when the client is gone. */
function drained(sink: Sink): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      sink.off("drain", done);
      sink.off("close", done);
      resolve();
    };
    sink.on("drain", done);
    sink.on("close", done);
  });
}

function unreadAnswers(): ConnectError {
  const problem = "too many answers wait to be read";
  const remedy = "read those that are there, or ask for pages";
  return rpcError(Code.ResourceExhausted, "ANSWERS_UNREAD", `${problem}; ${remedy}`);
}

function inGrpcForm(trailer: Headers): Headers {
  const message = trailer.get("grpc-message");
  if (message !== null) {
    trailer.set("grpc-message", grpcMessage(message));
  }
  return trailer;
}

function toNodeHeaders(headers: Headers | undefined): Record<string, string> {
  return Object.fromEntries(headers ?? []);
}

const noBody: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({
    next: () => Promise.resolve({ done: true, value: undefined }),
  }),
};
