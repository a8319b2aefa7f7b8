import { maxDelayMs } from "../max-delay.ts";

/** Lets a stream wait for changes of something, until its signal is aborted. */
export interface Waiter {
  /**
   * Resolves when it has changed since the last call, when the signal is aborted, or when the time
   * is over, whichever comes first. It may resolve when the time of an earlier call is over.
   */
  wait(timeoutMs?: number): Promise<void>;
  /** Ends the subscription. */
  leave(): void;
}

/**
 * Creates a waiter. An abort of the signal ends its subscription: a generator that waits for a slow reader
 * is not resumed when the reader goes, so its `finally` would not run.
 *
 * @param subscribe - subscribes to the changes; returns a function that ends the subscription
 */
export function createWaiter(
  subscribe: (notify: () => void) => () => void,
  signal: AbortSignal,
): Waiter {
  let hasHappened = false;
  let wake: () => void = () => undefined;
  // One timer lasts for many calls, since most are woken by a change.
  let timer: NodeJS.Timeout | undefined;
  const unsubscribe = subscribe(() => {
    hasHappened = true;
    wake();
  });
  const leave = (): void => {
    clearTimeout(timer);
    unsubscribe();
    signal.removeEventListener("abort", end);
  };
  const end = (): void => {
    leave();
    wake();
  };
  const onTimeout = (): void => {
    timer = undefined;
    wake();
  };
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) {
    leave();
  }
  return {
    async wait(timeoutMs = Infinity) {
      if (!hasHappened && !signal.aborted) {
        if (timeoutMs !== Infinity) {
          timer ??= setTimeout(onTimeout, Math.min(timeoutMs, maxDelayMs));
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      hasHappened = false;
    },
    leave,
  };
}
