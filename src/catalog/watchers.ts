/** Those who want to know when something changes. A writer wakes them and never waits for them. */
export interface Watchers {
  /** How many there are. */
  readonly size: number;
  /** Joins; `wake` is called after each change of `key`. Returns what to call to leave. */
  join(key: string, wake: () => void): () => void;
  /** Wakes all who have joined for a key. */
  wake(key: string): void;
}

/** Creates an empty set of watchers. */
export function createWatchers(): Watchers {
  const byKey = new Map<string, Set<() => void>>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    join(key, wake) {
      // A function of its own, so that one that joins twice is there twice.
      const own = (): void => {
        wake();
      };
      const watchers = byKey.get(key) ?? new Set();
      byKey.set(key, watchers.add(own));
      size++;
      return () => {
        if (watchers.delete(own)) {
          size--;
        }
        if (watchers.size === 0 && byKey.get(key) === watchers) {
          byKey.delete(key);
        }
      };
    },
    wake(key) {
      byKey.get(key)?.forEach((wake) => {
        wake();
      });
    },
  };
}
