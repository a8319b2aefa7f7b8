/**
 * Lets calls through to be read and handed over: one in a round of the event loop, and no more than a few
 * at once, so that many that come together keep nobody else waiting, and what they hold in memory while
 * they are read is bounded. Connections take turns.
 */
export interface Admission {
  /** Does the work of a call of a connection when it is its turn. */
  run<Result>(connection: object, work: () => Promise<Result>): Promise<Result>;
}

/** How many are let through at once. Each can hold a message several times over while it is read. */
const maxUnderWay = 8;

/** Creates an admission that nobody waits for. */
export function createAdmission(): Admission {
  /** Those who wait, by connection; the connection whose turn is next comes first. */
  const waiting = new Map<object, (() => void)[]>();
  let underWay = 0;
  let isScheduled = false;

  function schedule(): void {
    if (!isScheduled && underWay < maxUnderWay && waiting.size > 0) {
      isScheduled = true;
      setImmediate(admitNext);
    }
  }

  function admitNext(): void {
    isScheduled = false;
    for (const [connection, calls] of waiting) {
      const admit = calls.shift();
      waiting.delete(connection);
      if (calls.length > 0) {
        // A map is walked in the order of insertion, so the others come first.
        waiting.set(connection, calls);
      }
      underWay++;
      admit?.();
      break;
    }
    schedule();
  }

  return {
    async run(connection, work) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const calls = waiting.get(connection) ?? [];
      waiting.set(connection, calls);
      calls.push(() => {
        resolve(undefined);
      });
      schedule();
      await promise;
      try {
        return await work();
      } finally {
        underWay--;
        schedule();
      }
    },
  };
}
