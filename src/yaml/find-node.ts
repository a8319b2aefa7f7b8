import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type YAMLMap,
} from "yaml";
import type { Step } from "./diagnostic.ts";

/** The key and the value at a path, or at its longest part that exists. */
export interface FoundNode {
  readonly key: Node | undefined;
  readonly value: Node | undefined;
}

/**
 * Prepares to find nodes of a document by their paths.
 *
 * @param targets - the values of aliases
 */
export function createFinder(
  document: Document.Parsed,
  targets: ReadonlyMap<Alias, Node>,
): (path: readonly Step[]) => FoundNode {
  // A mapping with many keys can have many diagnostics, so each is indexed once.
  const indexes = new Map<YAMLMap, Map<unknown, Pair>>();
  const pairOf = (map: YAMLMap, key: Step): Pair | undefined => {
    let index = indexes.get(map);
    if (index === undefined) {
      index = new Map(map.items.map((pair) => [keyOf(pair), pair]));
      indexes.set(map, index);
    }
    return index.get(key);
  };
  const child = (node: Node, step: Step): { key: unknown; value: unknown } | undefined => {
    const holder = isAlias(node) ? targets.get(node) : node;
    if (isMap(holder)) {
      return pairOf(holder, step);
    }
    return isSeq(holder) && typeof step === "number" && step < holder.items.length
      ? { key: undefined, value: holder.items[step] }
      : undefined;
  };
  return (path) => {
    let key: Node | undefined;
    let value: Node | undefined = document.contents ?? undefined;
    for (const step of path) {
      const inner = value && child(value, step);
      if (inner === undefined) {
        break;
      }
      key = nodeOf(inner.key);
      value = nodeOf(inner.value) ?? key;
    }
    return { key, value };
  };
}

function keyOf({ key }: Pair): unknown {
  return isScalar(key) ? key.source : undefined;
}

function nodeOf(value: unknown): Node | undefined {
  return isNode(value) ? value : undefined;
}
