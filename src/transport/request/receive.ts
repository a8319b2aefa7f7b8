import type { Readable } from "node:stream";
import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "../../rpc/errors.ts";
import type { Exchange } from "../exchange.ts";
import { createReceived, type Received } from "./received.ts";
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
 * Receives a body as a whole. Most bodies come in one piece with their heads. A body that is not complete
 * after a turn of the event loop is copied, and its time limit begins then. After an error the rest is left
 * unread, so that an answer can still be written.
 *
 * Rejects with what `late`, `tooLarge` and `upload` make, and with CANCELED if the client gives up.
 */
export function receiveBody(
  { head, body }: Pick<Exchange, "head" | "body">,
  options: ReceiveOptions,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(head.headers["content-length"] ?? 0) > options.maxBytes) {
      reject(options.tooLarge());
      return;
    }
    options.askForBody();
    new Receiver(body, options, resolve, reject).start();
  });
}

/** A body on its way. A class, because there is one for each call. */
class Receiver {
  readonly #body: Readable;
  readonly #options: ReceiveOptions;
  readonly #resolve: (whole: Buffer) => void;
  readonly #reject: (error: Error) => void;
  #whole: Buffer = none;
  /** A copy of the body so far; a chunk itself would keep the larger buffer that it is a part of. */
  #received: Received | undefined;
  #soon: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    body: Readable,
    options: ReceiveOptions,
    resolve: (whole: Buffer) => void,
    reject: (error: Error) => void,
  ) {
    this.#body = body;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    if (this.#body.readableEnded) {
      // An empty body of HTTP/2 ends whether it is read or not.
      this.#resolve(none);
      return;
    }
    if (this.#body.closed) {
      // It says so only once, which was while something else was waited for.
      this.#reject(gaveUp());
      return;
    }
    this.#soon = setImmediate(this.#wait);
    this.#body.on("data", this.#take);
    this.#body.on("end", this.#finish);
    this.#body.on("close", this.#giveUp);
  }

  readonly #take = (chunk: Buffer): void => {
    const { maxBytes, tooLarge, upload } = this.#options;
    const length = this.#whole.byteLength + chunk.byteLength;
    if (length > maxBytes) {
      this.#fail(tooLarge());
      return;
    }
    try {
      upload.hold(length);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    if (this.#received === undefined && this.#whole.byteLength === 0) {
      this.#whole = chunk;
    } else {
      this.#whole = this.#copied().add(chunk);
    }
  };

  readonly #finish = (): void => {
    this.#stop();
    this.#resolve(this.#whole);
  };

  readonly #giveUp = (): void => {
    this.#fail(gaveUp());
  };

  readonly #wait = (): void => {
    this.#copied();
    this.#timer = setTimeout(() => {
      this.#fail(this.#options.late());
    }, this.#options.timeoutMs);
  };

  #copied(): Received {
    if (this.#received === undefined) {
      this.#received = createReceived();
      this.#whole = this.#received.add(this.#whole);
    }
    return this.#received;
  }

  #fail(error: Error): void {
    this.#stop();
    this.#body.pause();
    this.#reject(error);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#soon);
    this.#body.off("data", this.#take);
    this.#body.off("end", this.#finish);
    this.#body.off("close", this.#giveUp);
  }
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
