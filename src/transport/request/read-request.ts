/*
 * What a call sends, read before it is handed over: received as a whole where it is one message, out
 * of its envelope and its compression, and found to be a message of its method. What comes after has
 * nothing more to refuse. Requests that are streams are looked at message by message.
 */
import { setImmediate } from "node:timers/promises";
import { base64Decode } from "@bufbuild/protobuf/wire";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import type { Admission } from "../admission.ts";
import { type NodeRequest, queryOf } from "../node-http.ts";
import { type CallShape, isEnveloped, type Protocol } from "./call-shape.ts";
import { type Enveloped, envelop, envelopeBytes, openEnvelopes, openOne } from "./envelopes.ts";
import {
  damagedCompression,
  deadlineExceeded,
  messageTooLarge,
  requestTimeout,
  streamRequestTooLarge,
  unknownCompression,
  unreadable,
} from "./read-errors.ts";
import { checkBytes, readMessage, writeMessage } from "./read-message.ts";
import { receiveBody, receiveStream } from "./receive.ts";
import type { Upload, Uploads } from "./uploads.ts";

/** What bounds the reading of a request. */
export interface ReadLimits {
  readonly compressions: readonly Compression[];
  /** The greatest message, before and after decompression, in bytes. */
  readonly maxMessageBytes: number;
  /** The greatest message of a request whose call may last, as it is kept, in bytes. */
  readonly maxStreamRequestBytes: number;
  /** What has arrived of all requests. */
  readonly uploads: Uploads;
  /** How long a request of one message may take to arrive, in ms. */
  readonly requestTimeoutMs: number;
  /** The connection that the request has come on. */
  readonly connection: object;
  readonly admission: Admission;
  /** Is called when nothing that the request has said so far is refused, and its body is wanted. */
  readonly askForBody: () => void;
}

/** The headers that a protocol says the compression of messages in, and what it accepts. */
const encodingHeaders: Readonly<Record<Protocol, readonly [encoding: string, accept: string]>> = {
  connect: ["content-encoding", "accept-encoding"],
  "connect-get": ["content-encoding", "accept-encoding"],
  "connect-stream": ["connect-content-encoding", "connect-accept-encoding"],
  grpc: ["grpc-encoding", "grpc-accept-encoding"],
  "grpc-web": ["grpc-encoding", "grpc-accept-encoding"],
};

/**
 * The body of a request, uncompressed; takes the compression out of the header.
 *
 * Raises a ConnectError that says what is wrong with it. Of a stream, the body does so.
 *
 * @param timeoutMs - how long the client waits; undefined if it does not say
 */
export async function readRequest(
  request: NodeRequest,
  header: Headers,
  method: DescMethod,
  shape: CallShape,
  timeoutMs: number | undefined,
  limits: ReadLimits,
): Promise<AsyncIterable<Uint8Array>> {
  const compression = compressionOf(request, header, shape.protocol, limits.compressions);
  header.delete(encodingHeaders[shape.protocol][0]);
  header.delete("content-length");
  const read = (message: Enveloped): Promise<Uint8Array> =>
    limits.admission.run(limits.connection, async () => {
      const content = await readEnveloped(message, method, shape, compression, limits);
      if (content.byteLength > longBytes) {
        // It is read once more by the protocol's handler, which is a turn of its own.
        await setImmediate();
      }
      return content;
    });
  const upload = limits.uploads.begin(limits.connection);
  if (method.methodKind === "bidi_streaming" || method.methodKind === "client_streaming") {
    return readStream(request, read, upload, limits);
  }
  if (shape.protocol === "connect-get") {
    const bytes = messageOfQuery(request);
    await read({ isCompressed: compression !== undefined, bytes });
    return handOver(Buffer.alloc(0));
  }
  try {
    const body = await receive(request, timeoutMs, upload, limits);
    const message = isEnveloped(shape.protocol)
      ? await openOne(body, limits.maxMessageBytes)
      : { isCompressed: compression !== undefined, bytes: body };
    const content = await read(message);
    return handOver(isEnveloped(shape.protocol) ? envelop(content) : content);
  } finally {
    upload.hold(0);
  }
}

async function receive(
  request: NodeRequest,
  timeoutMs: number | undefined,
  upload: Upload,
  { requestTimeoutMs, maxMessageBytes, askForBody }: ReadLimits,
): Promise<Buffer> {
  const isShort = timeoutMs !== undefined && timeoutMs < requestTimeoutMs;
  return receiveBody(request, {
    timeoutMs: isShort ? timeoutMs : requestTimeoutMs,
    late: () => (isShort ? deadlineExceeded() : requestTimeout(requestTimeoutMs)),
    maxBytes: maxMessageBytes + envelopeBytes,
    tooLarge: () => messageTooLarge("the request has more bytes", maxMessageBytes),
    upload,
    askForBody,
  });
}

/** The messages of a stream, each in an envelope of its own, as they come. */
async function* readStream(
  request: NodeRequest,
  read: (message: Enveloped) => Promise<Uint8Array>,
  upload: Upload,
  { requestTimeoutMs, maxMessageBytes, askForBody }: ReadLimits,
): AsyncGenerator<Uint8Array, void> {
  askForBody();
  let held = 0;
  const hold = (bytes: number): void => {
    upload.hold(bytes);
    held = bytes;
  };
  const late = (): ConnectError => requestTimeout(requestTimeoutMs);
  const options = { timeoutMs: requestTimeoutMs, late };
  const chunks = receiveStream(request, () => held > 0, options);
  try {
    for await (const message of openEnvelopes(chunks, maxMessageBytes, hold)) {
      yield envelop(await read(message));
    }
  } finally {
    upload.hold(0);
  }
}

/** From how many bytes on reading a message takes long enough for others to notice. */
const longBytes = 64 * 1024;

async function readEnveloped(
  { isCompressed, bytes }: Enveloped,
  { input, methodKind }: DescMethod,
  { format }: CallShape,
  compression: Compression | undefined,
  { maxMessageBytes, maxStreamRequestBytes }: ReadLimits,
): Promise<Uint8Array> {
  const content = isCompressed ? await decompress(bytes, compression, maxMessageBytes) : bytes;
  if (content.byteLength > maxMessageBytes) {
    throw messageTooLarge(`it has ${content.byteLength} bytes`, maxMessageBytes);
  }
  checkBytes(input, format, content);
  if (content.byteLength > longBytes) {
    await setImmediate();
  }
  const message = readMessage(input, format, content);
  if (methodKind === "unary") {
    return content;
  }
  // A stream lasts, and what it was asked last lasts with it, so little of that is kept.
  const kept = methodKind === "server_streaming" ? writeMessage(input, format, message) : content;
  if (kept.byteLength > maxStreamRequestBytes) {
    throw streamRequestTooLarge(kept.byteLength, maxStreamRequestBytes);
  }
  return kept;
}

async function decompress(
  bytes: Uint8Array,
  compression: Compression | undefined,
  maxMessageBytes: number,
): Promise<Uint8Array> {
  if (compression === undefined) {
    const problem = "a message is compressed, and no header says how";
    throw unreadable(problem, "name the compression, or send it uncompressed");
  }
  try {
    return await compression.decompress(bytes, maxMessageBytes);
  } catch (error) {
    throw ConnectError.from(error).code === Code.ResourceExhausted
      ? messageTooLarge("decompressed, it has more bytes", maxMessageBytes)
      : damagedCompression(compression.name);
  }
}

function compressionOf(
  request: NodeRequest,
  header: Headers,
  protocol: Protocol,
  compressions: readonly Compression[],
): Compression | undefined {
  const [encodingHeader, acceptHeader] = encodingHeaders[protocol];
  const name =
    protocol === "connect-get" ? queryOf(request).get("compression") : header.get(encodingHeader);
  if (name === null || name === "identity" || name === "") {
    return undefined;
  }
  const compression = compressions.find((candidate) => candidate.name === name);
  if (compression === undefined) {
    const names = compressions.map((known) => known.name);
    throw unknownCompression(name, names, acceptHeader);
  }
  return compression;
}

function messageOfQuery(request: NodeRequest): Uint8Array {
  const query = queryOf(request);
  const message = query.get("message") ?? "";
  if (query.get("base64") !== "1") {
    return Buffer.from(message);
  }
  try {
    return base64Decode(message);
  } catch {
    const remedy = "encode it with the URL-safe alphabet, or leave base64=1 out";
    throw unreadable("the message in the query is not base64", remedy);
  }
}

/** Hands a body over once, and keeps nothing of it. */
function handOver(body: Uint8Array): AsyncIterable<Uint8Array> {
  const rest = body.byteLength > 0 ? [body] : [];
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        const value = rest.pop();
        return Promise.resolve(
          value === undefined ? { done: true, value: undefined } : { done: false, value },
        );
      },
    }),
  };
}
