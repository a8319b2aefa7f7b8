import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "../../rpc/errors.ts";
import type { NodeRequest } from "../node-http.ts";
import { createReceived } from "./received.ts";
import { startTimeLimit, type TimeLimit } from "./time-limit.ts";
import type { Upload } from "./uploads.ts";

/** How the body of a request is received as a whole. */
export interface ReceiveOptions {
  /** How long the body may take, in ms. */
  readonly timeoutMs: number;
  /** Makes the error for a body that is not complete in time. */
  readonly late: () => ConnectError;
  /** How many bytes the body may have. */
  readonly maxBytes: number;
  /** Makes the error for a longer body. */
  readonly tooLarge: () => ConnectError;
  /** Counts what has arrived; raises what is too much. */
  readonly upload: Upload;
  /** Is called before the first byte is waited for. */
  readonly askForBody: () => void;
}

/**
 * Receives a body as a whole. Reading no further leaves the connection alone, so that an answer can
 * still be written; Node would destroy it.
 *
 * Raises what `late`, `tooLarge` and `upload` make, and CANCELED if the client gives up.
 */
export async function receiveBody(
  request: NodeRequest,
  { timeoutMs, late, maxBytes, tooLarge, upload, askForBody }: ReceiveOptions,
): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) {
    throw tooLarge();
  }
  askForBody();
  const limit = startTimeLimit(timeoutMs, late);
  const chunks = receiveChunks(request);
  const received = createReceived();
  let body: Buffer = Buffer.alloc(0);
  try {
    for (;;) {
      const next = await limit.wait(chunks.next());
      if (next.done === true) {
        return body;
      }
      if (received.length + next.value.byteLength > maxBytes) {
        throw tooLarge();
      }
      upload.hold(received.length + next.value.byteLength);
      body = received.add(next.value);
    }
  } finally {
    limit.lift();
  }
}

/** Receives a body as it comes, for as long as it takes. */
export async function* receiveChunks(request: NodeRequest): AsyncGenerator<Uint8Array, void> {
  try {
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  } catch {
    throw rpcError(Code.Canceled, "CANCELED", "the client ended the call before it was complete");
  }
}

/**
 * Receives a body that is a stream, as it comes. It may take as long as it likes, but for a message that
 * it has begun.
 *
 * @param isInMessage - tells whether a message has begun and has not ended
 */
export async function* receiveStream(
  request: NodeRequest,
  isInMessage: () => boolean,
  { timeoutMs, late }: Pick<ReceiveOptions, "timeoutMs" | "late">,
): AsyncGenerator<Uint8Array, void> {
  const chunks = receiveChunks(request);
  let limit: TimeLimit | undefined;
  try {
    for (;;) {
      if (!isInMessage()) {
        limit?.lift();
        limit = undefined;
      } else {
        limit ??= startTimeLimit(timeoutMs, late);
      }
      const next = await (limit?.wait(chunks.next()) ?? chunks.next());
      if (next.done === true) {
        return;
      }
      yield next.value;
    }
  } finally {
    limit?.lift();
  }
}
