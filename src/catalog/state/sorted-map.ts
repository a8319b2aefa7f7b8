import BTreeModule from "sorted-btree";
import bulk from "sorted-btree/extended/bulkLoad.js";

/**
 * A map in the order of its keys that is cloned in constant time: clones share unchanged nodes. (The
 * package is CommonJS, so its class is the `default` of what Node imports.)
 */
export const SortedMap = BTreeModule.default;
export type SortedMap<Key, Value> = InstanceType<typeof SortedMap<Key, Value>>;

/** The greatest number of keys of a node: the default of the package. */
const maxNodeSize = 32;

/** Makes a map of keys in ascending order and their values, faster than one by one. */
export function mapOfSorted<Key, Value>(
  keys: Key[],
  values: Value[],
  compare: (a: Key, b: Key) => number,
): SortedMap<Key, Value> {
  return keys.length === 0
    ? new SortedMap<Key, Value>(undefined, compare)
    : bulk.bulkLoad(keys, values, maxNodeSize, compare);
}

/** How many items are sorted, merged or counted without a pause. */
export const itemsAtOnce = 1_000;

/** Sorts items, stably; yields where other work may run. */
export function* sorted<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Generator<void, Item[]> {
  let runs: Item[][] = [];
  for (let begin = 0; begin < items.length; begin += itemsAtOnce) {
    runs.push(items.slice(begin, begin + itemsAtOnce).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: Item[][] = [];
    for (let index = 0; index < runs.length; index += 2) {
      merged.push(yield* mergedOf(runs[index] ?? [], runs[index + 1] ?? [], compare));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergedOf<Item>(
  left: readonly Item[],
  right: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Generator<void, Item[]> {
  const merged: Item[] = [];
  let [atLeft, atRight] = [0, 0];
  while (merged.length < left.length + right.length) {
    const [a, b] = [left[atLeft], right[atRight]] as [Item, Item];
    if (atRight === right.length || (atLeft < left.length && compare(a, b) <= 0)) {
      merged.push(a);
      atLeft++;
    } else {
      merged.push(b);
      atRight++;
    }
    if (merged.length % itemsAtOnce === 0) {
      yield;
    }
  }
  return merged;
}
