import BTreeModule from "sorted-btree";

/**
 * A map in the order of its keys that is cloned in constant time: clones share unchanged nodes. (The
 * package is CommonJS, so its class is the `default` of what Node imports.)
 */
export const SortedMap = BTreeModule.default;
export type SortedMap<Key, Value> = InstanceType<typeof SortedMap<Key, Value>>;
