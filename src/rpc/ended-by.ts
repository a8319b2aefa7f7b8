import { ConnectError } from "@connectrpc/connect";
import { CatalogError } from "../catalog/errors.ts";

/**
 * The messages of a request, until a signal is aborted: then raises the reason. Each wait has a promise
 * of its own, since one that lasts as long as the stream would keep every message in memory.
 */
export async function* endedBy<T>(
  signal: AbortSignal,
  messages: AsyncIterable<T>,
): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  let wait: PromiseWithResolvers<IteratorResult<T, unknown>> | undefined;
  const abort = (): void => {
    const reason: unknown = signal.reason;
    wait?.reject(reason instanceof CatalogError ? reason : ConnectError.from(reason));
  };
  signal.addEventListener("abort", abort);
  try {
    for (;;) {
      wait = Promise.withResolvers();
      if (signal.aborted) {
        abort();
      }
      iterator.next().then(wait.resolve, wait.reject);
      const next = await wait.promise;
      if (next.done === true) {
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
