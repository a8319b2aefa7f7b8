import { notifyAll, subscribeTo, type Subscriptions } from "../catalog/state/subscriptions.ts";

/** Whether a journal makes commits, and knows of those of others. */
export interface Readiness {
  readonly isReady: boolean;
  /** Calls `notify` after each change. Returns a function that ends the subscription. */
  subscribe(notify: () => void): () => void;
}

/** The side of a readiness that its journal uses. */
export interface ChangeableReadiness extends Readiness {
  /** Notifies if that is a change. */
  set(isReady: boolean): void;
}

/** Creates a readiness that is false at first. */
export function createReadiness(): ChangeableReadiness {
  const subscriptions: Subscriptions = new Set();
  let isReady = false;
  return {
    get isReady() {
      return isReady;
    },
    subscribe: (notify) => subscribeTo(subscriptions, notify),
    set(next) {
      if (next !== isReady) {
        isReady = next;
        notifyAll(subscriptions);
      }
    },
  };
}
