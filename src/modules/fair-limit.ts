/** A limit of what is done at once, in which keys take turns. */
export interface FairLimit {
  /** Does some work when it is the turn of its key. Rejects with the signal's reason if that comes first. */
  run<Result>(key: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result>;
}

/**
 * Creates a limit.
 *
 * @param most - of all keys together
 * @param mostOfKey - of one key, so that one cannot keep all others waiting
 */
export function createFairLimit(most: number, mostOfKey: number): FairLimit {
  /** What waits; the key whose turn is next comes first. */
  const waiting = new Map<string, (() => void)[]>();
  const running = new Map<string, number>();
  let total = 0;

  const startNext = (): void => {
    if (total >= most) {
      return;
    }
    for (const [key, starts] of waiting) {
      if ((running.get(key) ?? 0) >= mostOfKey) {
        continue;
      }
      const start = starts.shift();
      waiting.delete(key);
      if (starts.length > 0) {
        // A map is walked in the order of insertion, so the others come first.
        waiting.set(key, starts);
      }
      total += 1;
      running.set(key, (running.get(key) ?? 0) + 1);
      start?.();
      startNext();
      return;
    }
  };
  const turn = (key: string, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const giveUp = (): void => {
        const starts = waiting.get(key) ?? [];
        const left = starts.filter((other) => other !== start);
        if (left.length === 0) {
          waiting.delete(key);
        } else {
          waiting.set(key, left);
        }
        reject(signal.reason as Error);
      };
      const start = (): void => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      signal.addEventListener("abort", giveUp, { once: true });
      waiting.set(key, [...(waiting.get(key) ?? []), start]);
      startNext();
    });
  return {
    async run(key, signal, work) {
      signal.throwIfAborted();
      await turn(key, signal);
      try {
        return await work();
      } finally {
        total -= 1;
        const others = (running.get(key) ?? 1) - 1;
        if (others === 0) {
          running.delete(key);
        } else {
          running.set(key, others);
        }
        startNext();
      }
    },
  };
}
