import { Code } from "@connectrpc/connect";
import { rpcError } from "../rpc/errors.ts";
import type { NodeRequest } from "./node-http.ts";

/**
 * The body of a request, chunk by chunk. Reading no further leaves the connection alone, so that an
 * answer can still be written; Node would destroy it.
 *
 * Raises DEADLINE_EXCEEDED if the body is not complete in time.
 *
 * @param timeoutMs - how long the whole body may take; Infinity for streams, which end when they end
 * @param keep - sees each chunk
 */
export async function* requestBody(
  request: NodeRequest,
  timeoutMs: number,
  keep: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  const timeout = startTimeout(timeoutMs);
  try {
    for (;;) {
      const next = await Promise.race([nextChunk(chunks), ...timeout.passed]);
      if (next.done === true) {
        return;
      }
      keep(next.value);
      yield next.value;
    }
  } finally {
    timeout.clear();
  }
}

async function nextChunk(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await chunks.next();
  } catch {
    throw rpcError(Code.Canceled, "CANCELED", "the client ended the call before it was complete");
  }
}

function startTimeout(timeoutMs: number): { passed: Promise<never>[]; clear: () => void } {
  if (timeoutMs === Infinity) {
    return { passed: [], clear: () => undefined };
  }
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const problem = `the request was not complete after ${timeoutMs / 1000} s`;
    reject(rpcError(Code.DeadlineExceeded, "REQUEST_TIMEOUT", `${problem}; send it in one go`));
  }, timeoutMs);
  promise.catch(() => undefined);
  return {
    passed: [promise],
    clear: () => {
      clearTimeout(timer);
    },
  };
}
