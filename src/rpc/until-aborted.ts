import { ConnectError } from "@connectrpc/connect";

/** Resolves with the reason when a signal is aborted; at once if it is already. */
export async function untilAborted(signal: AbortSignal): Promise<ConnectError> {
  if (!signal.aborted) {
    await new Promise((resolve) => {
      signal.addEventListener("abort", resolve, { once: true });
    });
  }
  return ConnectError.from(signal.reason);
}

/** The messages of a request, until a signal is aborted: then raises the reason. */
export async function* endedBy<T>(
  signal: AbortSignal,
  messages: AsyncIterable<T>,
): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  const aborted = untilAborted(signal).then((reason) => Promise.reject(reason));
  aborted.catch(() => undefined);
  for (;;) {
    const next = await Promise.race([iterator.next(), aborted]);
    if (next.done === true) {
      return;
    }
    yield next.value;
  }
}
