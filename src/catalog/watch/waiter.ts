import type { Notifier } from "../state/notifier.ts";

/** Lets a stream wait until something has happened. */
export interface Waiter {
  /** Says that something has happened. */
  readonly notify: () => void;
  /**
   * Resolves when something has happened since the last call, when the signal is aborted, or when the
   * time is over, whichever comes first.
   */
  wait(signal: AbortSignal, timeoutMs: number): Promise<void>;
}

/** Creates a waiter that has not been notified. */
export function createWaiter(): Waiter {
  let hasHappened = false;
  let wake: () => void = () => undefined;
  return {
    notify: () => {
      hasHappened = true;
      wake();
    },
    async wait(signal, timeoutMs) {
      if (!hasHappened && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<undefined>();
        wake = () => {
          resolve(undefined);
        };
        signal.addEventListener("abort", wake, { once: true });
        const timer = timeoutMs === Infinity ? undefined : setTimeout(wake, timeoutMs);
        await promise;
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
      }
      hasHappened = false;
    },
  };
}

/**
 * Notifies a waiter of each change of a key until the signal is aborted. (A generator that waits for a
 * slow reader is not resumed when the reader goes, so its `finally` would not run.)
 *
 * Returns a function that ends it earlier.
 */
export function subscribeUntilAborted(
  notifier: Notifier,
  key: string,
  waiter: Waiter,
  signal: AbortSignal,
): () => void {
  const leave = notifier.subscribe(key, waiter.notify);
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) {
    leave();
  }
  return () => {
    signal.removeEventListener("abort", leave);
    leave();
  };
}
