/** A queue of items by connection. Connections take turns, however much each of them has sent. */
export interface FairQueue<Item> {
  readonly isEmpty: boolean;
  add(connection: object, item: Item): void;
  /** Takes out the next one; undefined if none waits. */
  next(): Item | undefined;
}

/** Creates an empty queue. */
export function createFairQueue<Item>(): FairQueue<Item> {
  /** The connection whose turn is next comes first. */
  const waiting = new Map<object, Item[]>();
  return {
    get isEmpty() {
      return waiting.size === 0;
    },
    add(connection, item) {
      const items = waiting.get(connection);
      if (items === undefined) {
        waiting.set(connection, [item]);
      } else {
        items.push(item);
      }
    },
    next() {
      for (const [connection, items] of waiting) {
        const item = items.shift();
        waiting.delete(connection);
        if (items.length > 0) {
          // A map is walked in the order of insertion, so the others come first.
          waiting.set(connection, items);
        }
        return item;
      }
      return undefined;
    },
  };
}
