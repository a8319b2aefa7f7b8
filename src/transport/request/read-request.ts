/*
 * Reads the request of a call before the call is handed over: receives it as a whole if it is one message,
 * takes it out of its envelope and its compression, and checks that it is a message of its method. So
 * nothing is left to refuse later. Requests that are streams are checked message by message.
 */
import { setImmediate } from "node:timers/promises";
import { base64Decode } from "@bufbuild/protobuf/wire";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import type { Admission } from "../admission.ts";
import type { Exchange } from "../exchange.ts";
import { queryOf, type RequestHead } from "../node-http.ts";
import { type CallShape, isEnveloped, type Protocol } from "./call-shape.ts";
import { encodingHeaders } from "./encoding-headers.ts";
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

/** The limits on reading a request. */
export interface ReadLimits {
  readonly compressions: readonly Compression[];
  /** The greatest message, before and after decompression, in bytes. */
  readonly maxMessageBytes: number;
  /** The greatest message in the request of a stream, as it is kept, in bytes. */
  readonly maxStreamRequestBytes: (method: DescMethod) => number;
  /** Counts the bytes of requests that have arrived and are not read yet. */
  readonly uploads: Uploads;
  /** How long a request of one message may take to arrive, in ms. */
  readonly requestTimeoutMs: number;
  readonly admission: Admission;
  /** Is called when the head of the request has passed all checks, and its body is wanted. */
  readonly askForBody: () => void;
}

/** A call whose request is read. */
export interface ReadableCall extends Pick<Exchange, "head" | "body" | "connection"> {
  readonly method: DescMethod;
  readonly shape: CallShape;
  /** How long the client waits, in ms; undefined if it does not say. */
  readonly timeoutMs: number | undefined;
}

/**
 * The body of a request, uncompressed, for the handlers of Connect.
 *
 * Raises a ConnectError that says what is wrong with it; for a stream, when the body is read.
 */
export async function readRequest(
  call: ReadableCall,
  limits: ReadLimits,
): Promise<AsyncIterable<Uint8Array>> {
  const { method, shape } = call;
  if (method.methodKind === "bidi_streaming" || method.methodKind === "client_streaming") {
    return readStream(call, limits);
  }
  // Connect answers later, so that time would not count as a part of the turn.
  const { content } = await readOne(call, limits, (read) => read, { waits: true });
  if (content.byteLength > longBytes) {
    // It is read once more by the protocol's handler, which is a turn of its own.
    await setImmediate();
  }
  if (shape.protocol === "connect-get") {
    return handOver(Buffer.alloc(0));
  }
  return handOver(isEnveloped(shape.protocol) ? envelop(content) : content);
}

/** A message that has been read. */
export interface ReadMessage {
  readonly message: Message;
  /** The uncompressed bytes of the message as it was sent; for a stream of answers, encoded again. */
  readonly content: Uint8Array;
}

/**
 * Reads the one message of a request, and uses it.
 *
 * Raises a ConnectError that says what is wrong with it.
 *
 * @param use - is called as soon as a short message is read, before others are read, so that the time that
 *   it takes counts as well
 * @param waits - whether short messages wait for their turns, too
 */
export async function readOne<Result>(
  call: ReadableCall,
  limits: ReadLimits,
  use: (read: ReadMessage) => Result | Promise<Result>,
  { waits = false } = {},
): Promise<Result> {
  const { shape, connection } = call;
  const compression = compressionOf(call.head, shape.protocol, limits.compressions);
  const upload = limits.uploads.begin(connection);
  let message: ReadMessage;
  try {
    const sent =
      shape.protocol === "connect-get"
        ? messageOfQuery(call.head)
        : await receive(call, upload, limits);
    const enveloped = isEnveloped(shape.protocol)
      ? openOne(sent, limits.maxMessageBytes)
      : { isCompressed: compression !== undefined, bytes: sent };
    const { isCompressed, bytes } = enveloped;
    const isShort = !isCompressed && bytes.byteLength <= shortBytes;
    message =
      isShort && !waits && limits.admission.hasTime()
        ? readContent(bytes, call, limits)
        : await read(enveloped, call, compression, limits);
  } finally {
    upload.hold(0);
  }
  return use(message);
}

/** Up to how many bytes a message is read at once, without waiting for a turn. */
const shortBytes = 4 * 1024;

function read(
  { isCompressed, bytes }: Enveloped,
  call: ReadableCall,
  compression: Compression | undefined,
  limits: ReadLimits,
): Promise<ReadMessage> {
  return limits.admission.run(call.connection, async () => {
    const content = isCompressed
      ? await decompress(bytes, compression, limits.maxMessageBytes)
      : bytes;
    return readLong(content, call, limits);
  });
}

function receive(
  call: ReadableCall,
  upload: Upload,
  { requestTimeoutMs, maxMessageBytes, askForBody }: ReadLimits,
): Promise<Buffer> {
  const { timeoutMs } = call;
  const isShort = timeoutMs !== undefined && timeoutMs < requestTimeoutMs;
  return receiveBody(call, {
    timeoutMs: isShort ? timeoutMs : requestTimeoutMs,
    late: () => (isShort ? deadlineExceeded() : requestTimeout(requestTimeoutMs)),
    maxBytes: maxMessageBytes + envelopeBytes,
    tooLarge: () => messageTooLarge("the size of the request", maxMessageBytes),
    upload,
    askForBody,
  });
}

/** The messages of a stream, each in an envelope of its own, as they come. */
async function* readStream(
  call: ReadableCall,
  limits: ReadLimits,
): AsyncGenerator<Uint8Array, void> {
  const { requestTimeoutMs, maxMessageBytes } = limits;
  const compression = compressionOf(call.head, call.shape.protocol, limits.compressions);
  const upload = limits.uploads.begin(call.connection);
  limits.askForBody();
  let held = 0;
  const hold = (bytes: number): void => {
    upload.hold(bytes);
    held = bytes;
  };
  const late = (): ConnectError => requestTimeout(requestTimeoutMs);
  const options = { timeoutMs: requestTimeoutMs, late };
  const chunks = receiveStream(call.body, () => held > 0, options);
  try {
    for await (const message of openEnvelopes(chunks, maxMessageBytes, hold)) {
      const { content } = await read(message, call, compression, limits);
      yield envelop(content);
    }
  } finally {
    upload.hold(0);
  }
}

/** From how many bytes on reading a message takes long enough for others to notice. */
const longBytes = 64 * 1024;

async function readLong(
  content: Uint8Array,
  call: ReadableCall,
  limits: ReadLimits,
): Promise<ReadMessage> {
  const { method, shape } = call;
  const { maxMessageBytes } = limits;
  if (content.byteLength > maxMessageBytes) {
    throw messageTooLarge(`its size of ${content.byteLength} bytes`, maxMessageBytes);
  }
  if (content.byteLength <= longBytes) {
    return readContent(content, call, limits);
  }
  checkBytes(method.input, shape.format, content);
  await setImmediate();
  return kept(readMessage(method.input, shape.format, content), content, call, limits);
}

function readContent(content: Uint8Array, call: ReadableCall, limits: ReadLimits): ReadMessage {
  const { method, shape } = call;
  checkBytes(method.input, shape.format, content);
  return kept(readMessage(method.input, shape.format, content), content, call, limits);
}

/** A stream may stay open for long, and holds its request, so that is kept small. */
function kept(
  message: Message,
  sent: Uint8Array,
  { method, shape }: ReadableCall,
  { maxStreamRequestBytes }: ReadLimits,
): ReadMessage {
  if (method.methodKind === "unary") {
    return { message, content: sent };
  }
  const content =
    method.methodKind === "server_streaming"
      ? writeMessage(method.input, shape.format, message)
      : sent;
  const limit = maxStreamRequestBytes(method);
  if (content.byteLength > limit) {
    throw streamRequestTooLarge(content.byteLength, limit);
  }
  return { message, content };
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
      ? messageTooLarge("its decompressed size", maxMessageBytes)
      : damagedCompression(compression.name);
  }
}

function compressionOf(
  head: RequestHead,
  protocol: Protocol,
  compressions: readonly Compression[],
): Compression | undefined {
  const { encoding, accept: acceptHeader } = encodingHeaders[protocol];
  const name =
    protocol === "connect-get"
      ? (queryOf(head).get("compression") ?? "")
      : String(head.headers[encoding] ?? "");
  if (name === "identity" || name === "") {
    return undefined;
  }
  const compression = compressions.find((candidate) => candidate.name === name);
  if (compression === undefined) {
    const names = compressions.map((known) => known.name);
    throw unknownCompression(name, names, acceptHeader);
  }
  return compression;
}

function messageOfQuery(head: RequestHead): Uint8Array {
  const query = queryOf(head);
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
