import { notifyAll, subscribeTo, type Subscriptions } from "./subscriptions.ts";

/** Notifies subscribers of changes of a key, synchronously. */
export interface Notifier {
  /** The number of subscriptions. */
  readonly size: number;
  /** Tells whether a key has subscriptions. */
  has(key: string): boolean;
  /** The keys that have subscriptions. */
  keys(): Iterable<string>;
  /** Calls `notify` after each change of a key. Returns a function that ends the subscription. */
  subscribe(key: string, notify: () => void): () => void;
  /** Notifies the subscribers of a key. */
  notify(key: string): void;
  /** Notifies all subscribers. */
  notifyAll(): void;
}

/**
 * Creates a notifier without subscriptions.
 *
 * @param onLastLeft - is called when a key has lost its last subscription
 */
export function createNotifier(onLastLeft: (key: string) => void = () => undefined): Notifier {
  const byKey = new Map<string, Subscriptions>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    has: (key) => byKey.has(key),
    keys: () => byKey.keys(),
    subscribe(key, notify) {
      const subscriptions: Subscriptions = byKey.get(key) ?? new Set();
      byKey.set(key, subscriptions);
      const end = subscribeTo(subscriptions, notify);
      size++;
      return () => {
        if (!end()) {
          return;
        }
        size--;
        if (subscriptions.size === 0) {
          byKey.delete(key);
          onLastLeft(key);
        }
      };
    },
    notify(key) {
      const subscriptions = byKey.get(key);
      if (subscriptions !== undefined) {
        notifyAll(subscriptions);
      }
    },
    notifyAll() {
      for (const subscriptions of byKey.values()) {
        notifyAll(subscriptions);
      }
    },
  };
}
