import { constants } from "node:http2";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { CallReport } from "../../rpc/call-report.ts";
import { rpcError } from "../../rpc/errors.ts";
import { abandon, flushHead, isGone, type NodeResponse, setHead, writePart } from "../node-http.ts";
import { grpcMessage } from "./grpc-message.ts";
import { discardRest } from "./unfinished-request.ts";
import type { Hold, UnreadAnswers } from "./unread-answers.ts";

/** Is raised if nothing more can be said to a client: it is gone, or has left too much unread. */
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
 * Writes an answer, as fast as its client reads it.
 *
 * Raises AnswerCut, or RESOURCE_EXHAUSTED before anything is written if too much waits to be read
 * already, or whatever the body raises.
 */
export async function writeAnswer(
  { status, header, trailer, body }: UniversalServerResponse,
  response: NodeResponse,
  options: WriteOptions,
): Promise<void> {
  const writeHead = (): void => {
    setHead(response, status, toNodeHeaders(header));
    if (isUnfinished(response)) {
      // What is left of the request would be taken for the next one.
      response.setHeader("Connection", "close");
    }
  };
  const chunks = (body ?? noBody)[Symbol.asyncIterator]();
  try {
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      if (isGone(response)) {
        throw new AnswerCut();
      }
      if (!isWrittenAtOnce(next.value, response, options)) {
        await writeChunk(next.value, response, options, writeHead);
      }
    }
    if (isGone(response)) {
      throw new AnswerCut();
    }
    if (!response.headersSent) {
      writeHead();
      // Without that, Node would end the answer with its head, and leave out the trailers.
      flushHead(response);
    }
    if (trailer !== undefined) {
      response.addTrailers(toNodeHeaders(inGrpcForm(trailer)));
    }
    if (isUnfinished(response)) {
      await discardRest(response.req);
    }
    response.end();
  } finally {
    // Tells the service that nothing more is wanted, wherever it is.
    await chunks.return?.();
  }
}

/** Tells whether a client is still sending what has been answered already; HTTP/2 can say so. */
function isUnfinished({ req }: NodeResponse): boolean {
  return req.httpVersionMajor === 1 && !req.complete;
}

/** How much is handed to a connection at once, in bytes: a frame of HTTP/2. */
const sliceBytes = 16 * 1024;

/**
 * Writes a small message of a stream, if the stream has room for it and more; returns whether it has. What
 * is written so does not wait to be read.
 */
function isWrittenAtOnce(
  chunk: Uint8Array,
  response: NodeResponse,
  { isWhole }: WriteOptions,
): boolean {
  const { byteLength } = chunk;
  const room = response.writableHighWaterMark - response.writableLength;
  if (isWhole || byteLength > sliceBytes || byteLength >= room || !response.headersSent) {
    return false;
  }
  writePart(response, chunk);
  return true;
}

/**
 * Writes a chunk in slices, and waits between them for the client. What is handed to an HTTP/2 stream
 * at once counts against the memory of its session until it is sent, also when the client has refused
 * it; with megabytes of that, Node refuses every further stream of the connection.
 */
async function writeChunk(
  chunk: Uint8Array,
  response: NodeResponse,
  { unread, isWhole, report }: WriteOptions,
  writeHead: () => void,
): Promise<void> {
  const end = (): void => {
    report(Code.ResourceExhausted);
    abandon(response, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  const shutDown = (): void => {
    report(Code.Unavailable);
    // What gRPC takes for UNAVAILABLE; no status can pass a client that does not read.
    abandon(response, constants.NGHTTP2_REFUSED_STREAM);
  };
  const hold = unread.hold({ response, bytes: chunk.byteLength, isWhole, end, shutDown });
  if (hold === undefined) {
    if (!response.headersSent) {
      throw unreadAnswers();
    }
    end();
    throw new AnswerCut();
  }
  try {
    if (!response.headersSent) {
      writeHead();
    }
    await writeSlices(chunk, response, hold);
    if (isGone(response)) {
      throw new AnswerCut();
    }
  } finally {
    hold.release();
  }
}

async function writeSlices(chunk: Uint8Array, response: NodeResponse, hold: Hold): Promise<void> {
  for (let start = 0; start < chunk.byteLength; start += sliceBytes) {
    if (isGone(response)) {
      return;
    }
    if (!writePart(response, chunk.subarray(start, start + sliceBytes))) {
      await drained(response);
      hold.progress();
    }
  }
}

/** Resolves when more can be written, or nothing any more. */
function drained(response: NodeResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
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
