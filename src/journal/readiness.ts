/** Whether a journal makes commits, and knows of those of others. */
export interface Readiness {
  readonly isReady: boolean;
  /** Calls `notify` after each change. Returns a function that ends the subscription. */
  subscribe(notify: () => void): () => void;
}

/** The side of a readiness that its journal uses. */
export interface ChangeableReadiness extends Readiness {
  /** Subscribers hear of changes only. */
  set(isReady: boolean): void;
}

/** Creates a readiness that is false at first. */
export function createReadiness(): ChangeableReadiness {
  const subscriptions = new Set<() => void>();
  let isReady = false;
  return {
    get isReady() {
      return isReady;
    },
    subscribe(notify) {
      const own = (): void => {
        notify();
      };
      subscriptions.add(own);
      return () => void subscriptions.delete(own);
    },
    set(next) {
      if (next === isReady) {
        return;
      }
      isReady = next;
      for (const notify of subscriptions) {
        notify();
      }
    },
  };
}
