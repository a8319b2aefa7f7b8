/** A list that grows at its end and shrinks at its beginning, both in constant time on average. */
export interface Deque<Item> {
  readonly length: number;
  /** The item at an index; undefined if there is none. */
  at(index: number): Item | undefined;
  push(item: Item): void;
  /** Removes the first item. */
  shift(): void;
}

/** Creates an empty list. */
export function createDeque<Item>(): Deque<Item> {
  let items: (Item | undefined)[] = [];
  /** Where the first item is: the places before are empty. */
  let head = 0;
  return {
    get length() {
      return items.length - head;
    },
    at: (index) => items[head + index],
    push(item) {
      items.push(item);
    },
    shift() {
      if (head < items.length) {
        items[head++] = undefined;
      }
      if (head * 2 >= items.length) {
        items = items.slice(head);
        head = 0;
      }
    },
  };
}

/** The index of the first item that is not less than what is looked for, in a list in ascending order. */
export function lowerBound<Item>(items: Deque<Item>, isLess: (item: Item) => boolean): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items.at(middle);
    if (item !== undefined && isLess(item)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
