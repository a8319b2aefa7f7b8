/** Those who are notified of changes of one thing, each by its own function. */
export type Subscriptions = Set<() => void>;

/** Adds a subscription. Returns a function that ends it, and tells whether it had not ended before. */
export function subscribeTo(subscriptions: Subscriptions, notify: () => void): () => boolean {
  // A new function, so that one that subscribes twice is called twice.
  const own = (): void => {
    notify();
  };
  subscriptions.add(own);
  return () => subscriptions.delete(own);
}

/** Notifies all, synchronously. */
export function notifyAll(subscriptions: Subscriptions): void {
  for (const notify of subscriptions) {
    notify();
  }
}
