import { Code } from "@connectrpc/connect";
import { rpcError } from "../rpc/errors.ts";
import type { NodeRequest } from "./node-http.ts";

/** How the body of a request with one message is received. */
export interface MessageBodyOptions {
  /** How long the whole body may take, in ms. */
  readonly timeoutMs: number;
  /** How many bytes are waited for; a longer body is passed on for Connect to refuse. */
  readonly maxBytes: number;
  /** Looks at the whole body before anything else reads it, and raises what is wrong with it. */
  readonly inspect: (body: Buffer) => Promise<void>;
}

/**
 * The body of a request that holds one message, as a whole: Connect looks at all it holds for each
 * chunk that it gets. Reading no further leaves the connection alone, so that an answer can still be
 * written; Node would destroy it.
 *
 * Raises DEADLINE_EXCEEDED if the body is not complete in time, and CANCELED if the client gives up.
 */
export async function* messageBody(
  request: NodeRequest,
  { timeoutMs, maxBytes, inspect }: MessageBodyOptions,
): AsyncGenerator<Uint8Array> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  late.catch(() => undefined);
  const timer = setTimeout(() => {
    const problem = `the request was not complete after ${timeoutMs / 1000} s`;
    reject(rpcError(Code.DeadlineExceeded, "REQUEST_TIMEOUT", `${problem}; send it in one go`));
  }, timeoutMs);
  const chunks = streamBody(request);
  const held: Uint8Array[] = [];
  let bytes = 0;
  let isComplete = false;
  try {
    while (!isComplete && bytes <= maxBytes) {
      const next = await Promise.race([chunks.next(), late]);
      isComplete = next.done === true;
      if (next.done !== true) {
        held.push(next.value);
        bytes += next.value.byteLength;
      }
    }
    const body = Buffer.concat(held);
    if (isComplete) {
      await inspect(body);
    }
    if (bytes > 0) {
      yield body;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The body of a request that is a stream of messages, as it comes, for as long as it takes. */
export async function* streamBody(request: NodeRequest): AsyncGenerator<Uint8Array> {
  try {
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  } catch {
    throw rpcError(Code.Canceled, "CANCELED", "the client ended the call before it was complete");
  }
}
