/** Does work one after the other for each key, in the order in which it came. */
export interface Queues {
  /**
   * Does work when what came before it for the same key is done; at once if there is none.
   *
   * Rejects with the reason of the signal if that is aborted before the work has begun.
   */
  run<Result>(key: string, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result>;
  /** Resolves when all that has come is done. */
  idle(): Promise<void>;
}

/** Creates empty queues. */
export function createQueues(): Queues {
  const last = new Map<string, Promise<unknown>>();
  return {
    run<Result>(key: string, work: () => Promise<Result>, signal?: AbortSignal) {
      const { promise, resolve, reject } = Promise.withResolvers<Result>();
      const giveUp = (): void => {
        reject(signal?.reason);
      };
      const begin = async (): Promise<void> => {
        signal?.removeEventListener("abort", giveUp);
        if (signal?.aborted === true) {
          giveUp();
        } else {
          await work().then(resolve, reject);
        }
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      const before = last.get(key);
      const done = before === undefined ? begin() : before.then(begin);
      last.set(key, done);
      void done.then(() => {
        if (last.get(key) === done) {
          last.delete(key);
        }
      });
      return promise;
    },
    async idle() {
      while (last.size > 0) {
        await Promise.all(last.values());
      }
    },
  };
}
