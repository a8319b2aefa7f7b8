import type { Turns } from "../catalog/state/turns.ts";
import { createWaiter } from "../catalog/watch/waiter.ts";
import type { OpenStream } from "./open-stream.ts";

/**
 * The items of a stream for those that take them one by one, until a signal is aborted, which interrupts the
 * stream.
 *
 * @param signal - is aborted at the end of the call, however it ends
 */
export function iterate<Item>(
  stream: OpenStream<Item>,
  signal: AbortSignal,
  turns: Turns,
): AsyncGenerator<Item, void> {
  // A generator that waits for a slow reader is not resumed when the reader goes.
  const interrupt = (): void => {
    stream.interrupt(signal.reason);
  };
  if (signal.aborted) {
    interrupt();
  } else {
    signal.addEventListener("abort", interrupt, { once: true });
  }
  return items(stream, signal, turns);
}

async function* items<Item>(
  stream: OpenStream<Item>,
  signal: AbortSignal,
  turns: Turns,
): AsyncGenerator<Item, void> {
  const waiter = createWaiter((notify) => stream.subscribe(notify), signal);
  try {
    for (;;) {
      const read = stream.read(turns.begin());
      if (read === "caught-up") {
        await waiter.wait(stream.dueAt - performance.now());
      } else if (read === "more") {
        await turns.next();
      } else {
        yield read;
      }
    }
  } finally {
    waiter.leave();
    stream.close();
  }
}
