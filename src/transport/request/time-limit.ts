/** A time within which something has to happen. */
export interface TimeLimit {
  /** Waits for a promise; rejects when the time is over. */
  wait<Result>(promise: Promise<Result>): Promise<Result>;
  /** Lifts the limit. */
  lift(): void;
}

/**
 * Starts a time limit. It can be used for any number of waits, one after the other, and keeps nothing
 * of those; `Promise.race` against one promise would keep something of each until that promise settles.
 *
 * @param late - makes the error for when the time is over
 */
export function startTimeLimit(timeoutMs: number, late: () => Error): TimeLimit {
  let error: Error | undefined;
  let giveUp: ((error: Error) => void) | undefined;
  const timer = setTimeout(() => {
    error = late();
    giveUp?.(error);
  }, timeoutMs);
  return {
    wait: (promise) =>
      new Promise((resolve, reject) => {
        giveUp = reject;
        promise.then(resolve, reject);
        if (error !== undefined) {
          reject(error);
        }
      }),
    lift() {
      clearTimeout(timer);
    },
  };
}
