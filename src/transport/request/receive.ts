import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "../../rpc/errors.ts";
import type { NodeRequest } from "../node-http.ts";
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
  const { promise: isLate, reject } = Promise.withResolvers<never>();
  isLate.catch(() => undefined);
  const timer = setTimeout(() => {
    reject(late());
  }, timeoutMs);
  const chunks = receiveChunks(request);
  const received: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const next = await Promise.race([chunks.next(), isLate]);
      if (next.done === true) {
        return Buffer.concat(received, bytes);
      }
      received.push(next.value);
      bytes += next.value.byteLength;
      if (bytes > maxBytes) {
        throw tooLarge();
      }
      upload.hold(bytes);
    }
  } finally {
    clearTimeout(timer);
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
  let timer: NodeJS.Timeout | undefined;
  let isLate: PromiseWithResolvers<never> | undefined;
  try {
    for (;;) {
      if (isInMessage() && isLate === undefined) {
        const waiting = Promise.withResolvers<never>();
        waiting.promise.catch(() => undefined);
        timer = setTimeout(() => {
          waiting.reject(late());
        }, timeoutMs);
        isLate = waiting;
      } else if (!isInMessage()) {
        clearTimeout(timer);
        isLate = undefined;
      }
      const next = await (isLate === undefined
        ? chunks.next()
        : Promise.race([chunks.next(), isLate.promise]));
      if (next.done === true) {
        return;
      }
      yield next.value;
    }
  } finally {
    clearTimeout(timer);
  }
}
