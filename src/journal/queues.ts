/** Does work one after the other for each key, in the order in which it came. */
export interface Queues {
  /** Does work when what came before it for the same key is done; at once if there is none. */
  run<Result>(key: string, work: () => Promise<Result>): Promise<Result>;
  /** Resolves when all that has come is done. */
  idle(): Promise<void>;
}

/** Creates empty queues. */
export function createQueues(): Queues {
  const last = new Map<string, Promise<unknown>>();
  return {
    run(key, work) {
      const before = last.get(key);
      const result = before === undefined ? work() : before.then(work);
      const done = result.then(
        () => undefined,
        () => undefined,
      );
      last.set(key, done);
      void done.then(() => {
        if (last.get(key) === done) {
          last.delete(key);
        }
      });
      return result;
    },
    async idle() {
      while (last.size > 0) {
        await Promise.all(last.values());
      }
    },
  };
}
