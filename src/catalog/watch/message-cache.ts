import type { HistoryEntry } from "../state/history.ts";
import { changeMessage, type WatchMessage } from "./message.ts";
import {
  type ChangesByTenant,
  changesByTenant,
  maxScannedChanges,
  type SeenChange,
  seenBy,
} from "./view.ts";

/**
 * What the latest commits send. Watchers that see the same of a commit share one message, which is
 * encoded once. What nobody sees is not kept.
 */
export interface MessageCache {
  readonly size: number;
  /**
   * The message that a commit sends to the watchers of a scope; undefined if they see nothing of it.
   *
   * @param scope - the fqn of the commit's organization, or of one of its tenants
   * @param incarnation - of the catalog that the commit is one of
   */
  messageOf(entry: HistoryEntry, scope: string, incarnation: string): WatchMessage | undefined;
}

/** What messages may hold in memory, in bytes. One is kept however large it is. */
const defaultMaxWeight = 16 * 1024 * 1024;

/** What an event holds beside its object and the encoding of that. */
const eventWeight = 300;

interface Kept {
  readonly message: WatchMessage | undefined;
  readonly weight: number;
}

/** Creates a cache that holds nothing. */
export function createMessageCache(maxWeight = defaultMaxWeight): MessageCache {
  /** The least recently used first. */
  const kept = new Map<string, Kept>();
  let weight = 0;
  let sorted: { entry: HistoryEntry; byTenant: ChangesByTenant } | undefined;

  const keep = (key: string, each: Kept): void => {
    kept.set(key, each);
    weight += each.weight;
    for (const [oldest, { weight: freed }] of kept) {
      if (weight <= maxWeight || kept.size === 1) {
        return;
      }
      kept.delete(oldest);
      weight -= freed;
    }
  };

  const find = (key: string): Kept | undefined => {
    const found = kept.get(key);
    if (found !== undefined) {
      kept.delete(key);
      kept.set(key, found);
    }
    return found;
  };

  const byTenantOf = (entry: HistoryEntry): ChangesByTenant => {
    if (sorted?.entry !== entry) {
      sorted = { entry, byTenant: changesByTenant(entry) };
    }
    return sorted.byTenant;
  };

  return {
    get size() {
      return kept.size;
    },
    messageOf(entry, scope, incarnation) {
      const { revision } = entry;
      const isLarge = entry.changes.length > maxScannedChanges;
      // What is seen of a large commit is not compared: all watchers of a scope share it.
      const ofScope = isLarge ? find(`${incarnation} ${revision} ${scope}`) : undefined;
      if (ofScope !== undefined) {
        return ofScope.message;
      }
      const seen = seenBy(entry, scope, isLarge ? byTenantOf(entry) : undefined);
      if (seen.length === 0) {
        return undefined;
      }
      const view = isLarge ? scope : seen.map(({ change, view }) => view + change.fqn).join(" ");
      const key = `${incarnation} ${revision} ${view}`;
      const shared = find(key);
      if (shared !== undefined) {
        return shared.message;
      }
      const message = changeMessage(revision, incarnation, seen);
      keep(key, { message, weight: seen.reduce(addWeight, 2 * key.length) });
      return message;
    },
  };
}

/** Adds what a change holds: its object, which may be kept for nothing else any more, and its encoding. */
function addWeight(sum: number, { change }: SeenChange): number {
  switch (change.kind) {
    case "put-extension":
      return sum + eventWeight + change.extension.weight + change.extension.bytes.byteLength;
    case "put-attachments":
      return (
        sum + eventWeight + change.attachmentSet.weight + change.attachmentSet.bytes.byteLength
      );
    default:
      return sum + eventWeight;
  }
}
