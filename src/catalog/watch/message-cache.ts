import type { HistoryEntry } from "../state/history.ts";
import type { Viewer } from "../access/viewer.ts";
import { changeMessage, type WatchMessage } from "./message.ts";
import {
  asSeen,
  type ChangesByTenant,
  changesByTenant,
  maxScannedChanges,
  type SeenChange,
  seenBy,
} from "./view.ts";

/**
 * The messages of the latest commits. Watchers that see the same of a commit share one message, which is
 * encoded once. A commit that a scope does not see has no message.
 */
export interface MessageCache {
  readonly size: number;
  /**
   * The message that a commit sends to the watchers of a scope; undefined if they see nothing of it.
   *
   * @param scope - the fqn of the commit's organization, or of one of its tenants
   * @param incarnation - of the catalog that the commit belongs to
   * @param viewer - how the watchers see extensions
   */
  messageOf(
    entry: HistoryEntry,
    scope: string,
    incarnation: string,
    viewer: Viewer,
  ): WatchMessage | undefined;
}

/** The greatest size of all messages in memory, in bytes. One message is kept whatever its size. */
const defaultMaxWeight = 16 * 1024 * 1024;

/** The size of an event without its object and the object's bytes. */
const eventWeight = 300;

interface Kept {
  readonly message: WatchMessage;
  readonly weight: number;
}

interface Latest {
  readonly entry: HistoryEntry;
  readonly incarnation: string;
  /** The key of the message of each scope and viewer that has asked. */
  readonly keys: Map<string, string>;
  byTenant: ChangesByTenant | undefined;
}

/** The key of scopes that see nothing of a commit. */
const nothingSeen = "";

/** Creates an empty cache. */
export function createMessageCache(maxWeight = defaultMaxWeight): MessageCache {
  /** The least recently used first. */
  const kept = new Map<string, Kept>();
  let weight = 0;
  /** What is known of the entry that was asked for last; its watchers ask one after the other. */
  let latest: Latest | undefined;

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

  /** The message of a scope, made unless it is kept. */
  const made = (
    of: Latest,
    scope: string,
    viewer: Viewer,
  ): { key: string; message: WatchMessage } | undefined => {
    const { entry, incarnation } = of;
    const { revision } = entry;
    const isLarge = entry.changes.length > maxScannedChanges;
    const byTenant = isLarge ? (of.byTenant ??= changesByTenant(entry)) : undefined;
    const changes = seenBy(entry, scope, byTenant);
    const seen = changes.map((each) => asSeen(each, viewer));
    if (seen.length === 0) {
      return undefined;
    }
    // The view of a large commit is not compared: the watchers of one scope share a message.
    const view = isLarge ? scope : seen.map(({ change, view }) => view + change.fqn).join(" ");
    // Viewers that see all of it share a message, whatever else they would not see.
    const isWhole = !isLarge && seen.every((each, index) => each === changes[index]);
    const key = `${incarnation} ${revision} ${view} ${isWhole ? "" : viewer.key}`;
    const shared = find(key);
    if (shared !== undefined) {
      return { key, message: shared.message };
    }
    const message = changeMessage(revision, incarnation, seen);
    keep(key, { message, weight: seen.reduce(addWeight, 2 * key.length) });
    return { key, message };
  };

  return {
    get size() {
      return kept.size;
    },
    messageOf(entry, scope, incarnation, viewer) {
      if (latest?.entry !== entry || latest.incarnation !== incarnation) {
        latest = { entry, incarnation, keys: new Map(), byTenant: undefined };
      }
      const { keys } = latest;
      const asker = `${scope} ${viewer.key}`;
      const known = keys.get(asker);
      const found = known === undefined ? undefined : find(known);
      if (known === nothingSeen || found !== undefined) {
        return found?.message;
      }
      const { key, message } = made(latest, scope, viewer) ?? {
        key: nothingSeen,
        message: undefined,
      };
      keys.set(asker, key);
      return message;
    },
  };
}

/** The size of a change: its encoding and its object, which may be in memory for this message only. */
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
