/** How far a store has come, for those who wait for a revision. */
export interface Progress {
  /** The revision that the store has reached. */
  readonly present: bigint;
  /** Resolves when the store has reached a revision. Rejects with the reason of the signal. */
  reached(revision: bigint, signal: AbortSignal): Promise<void>;
  moveTo(revision: bigint): void;
}

/** Creates a progress that has not reached any revision. */
export function createProgress(): Progress {
  let present = 0n;
  const waiting = new Set<{ readonly revision: bigint; resolve(): void }>();
  return {
    get present() {
      return present;
    },
    async reached(revision, signal) {
      if (revision <= present) {
        return;
      }
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const waiter = {
        revision,
        resolve: () => {
          resolve(undefined);
        },
      };
      waiting.add(waiter);
      try {
        await orAborted(promise, signal);
      } finally {
        waiting.delete(waiter);
      }
    },
    moveTo(revision) {
      present = revision;
      for (const waiter of waiting) {
        if (waiter.revision <= revision) {
          waiter.resolve();
        }
      }
    },
  };
}

/** A promise, or the reason of a signal if that is aborted first. */
export async function orAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => {
    reject(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
