import type { Readable } from "node:stream";
import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "../../rpc/errors.ts";
import type { Exchange } from "../exchange.ts";
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
 * Receives a body as a whole. What is not complete after a turn of the event loop is copied, and has its time
 * limit from then on; most bodies come in one piece with their heads. After an error the rest is left
 * unread, so that an answer can still be written.
 *
 * Rejects with what `late`, `tooLarge` and `upload` make, and with CANCELED if the client gives up.
 */
export function receiveBody(
  { head, body }: Pick<Exchange, "head" | "body">,
  { timeoutMs, late, maxBytes, tooLarge, upload, askForBody }: ReceiveOptions,
): Promise<Buffer> {
  if (Number(head.headers["content-length"] ?? 0) > maxBytes) {
    return Promise.reject(tooLarge());
  }
  askForBody();
  return new Promise((resolve, reject) => {
    let whole: Buffer = none;
    const received = createReceived();
    let isCopied = false;
    let timer: NodeJS.Timeout | undefined;

    const stop = (): void => {
      clearTimeout(timer);
      clearImmediate(soon);
      body.off("data", take);
      body.off("end", finish);
      body.off("close", giveUp);
    };
    const fail = (error: Error): void => {
      stop();
      body.pause();
      reject(error);
    };
    /** A chunk is a part of a larger buffer, which it would keep. */
    const copy = (): void => {
      if (!isCopied) {
        isCopied = true;
        whole = received.add(whole);
      }
    };
    const take = (chunk: Buffer): void => {
      const length = whole.byteLength + chunk.byteLength;
      if (length > maxBytes) {
        fail(tooLarge());
        return;
      }
      try {
        upload.hold(length);
      } catch (error) {
        fail(error as Error);
        return;
      }
      if (whole.byteLength === 0 && !isCopied) {
        whole = chunk;
      } else {
        copy();
        whole = received.add(chunk);
      }
    };
    const finish = (): void => {
      stop();
      resolve(whole);
    };
    const giveUp = (): void => {
      fail(gaveUp());
    };
    const soon = setImmediate(() => {
      copy();
      timer = setTimeout(() => {
        fail(late());
      }, timeoutMs);
    });
    body.on("data", take);
    body.on("end", finish);
    body.on("close", giveUp);
  });
}

const none = Buffer.alloc(0);

function gaveUp(): ConnectError {
  return rpcError(Code.Canceled, "CANCELED", "the client ended the call before it was complete");
}

/** Receives a body as it comes, for as long as it takes. */
async function* receiveChunks(body: Readable): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  } catch {
    throw gaveUp();
  }
}

/**
 * Receives a body that is a stream, as it comes. It may take as long as it likes, but for a message that
 * it has begun.
 *
 * @param isInMessage - tells whether a message has begun and has not ended
 */
export async function* receiveStream(
  body: Readable,
  isInMessage: () => boolean,
  { timeoutMs, late }: Pick<ReceiveOptions, "timeoutMs" | "late">,
): AsyncGenerator<Uint8Array, void> {
  const chunks = receiveChunks(body);
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
