import { Code } from "@connectrpc/connect";
import { rpcError } from "../rpc/errors.ts";
import type { NodeRequest } from "./node-http.ts";

/** Less than this is held back until more has come: Connect looks at all it holds for each chunk. */
const minChunkBytes = 64 * 1024;

/**
 * The body of a request that holds one message, in chunks of some size. Reading no further leaves the
 * connection alone, so that an answer can still be written; Node would destroy it.
 *
 * Raises DEADLINE_EXCEEDED if the body is not complete in time, and CANCELED if the client gives up.
 *
 * @param timeoutMs - how long the whole body may take
 * @param keep - sees each chunk
 */
export async function* messageBody(
  request: NodeRequest,
  timeoutMs: number,
  keep: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  late.catch(() => undefined);
  const timer = setTimeout(() => {
    const problem = `the request was not complete after ${timeoutMs / 1000} s`;
    reject(rpcError(Code.DeadlineExceeded, "REQUEST_TIMEOUT", `${problem}; send it in one go`));
  }, timeoutMs);
  const chunks = streamBody(request);
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  try {
    for (;;) {
      const next = await Promise.race([chunks.next(), late]);
      if (next.done !== true) {
        held.push(next.value);
        heldBytes += next.value.byteLength;
      }
      if (heldBytes >= minChunkBytes || (next.done === true && heldBytes > 0)) {
        const chunk = Buffer.concat(held);
        held = [];
        heldBytes = 0;
        keep(chunk);
        yield chunk;
      }
      if (next.done === true) {
        return;
      }
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
