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
  /** The number of messages. */
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

/** The greatest size of all messages in memory, in bytes. Those of one commit are kept whatever their size. */
const defaultMaxWeight = 16 * 1024 * 1024;

/** The size of an event without its object and the object's bytes. */
const eventWeight = 300;

/** The size of an asker without its name. */
const askerWeight = 100;

/** What is known of a commit. */
interface Known {
  readonly incarnation: string;
  /** The message of each scope and viewer that has asked; undefined for those that see nothing. */
  readonly byAsker: Map<string, WatchMessage | undefined>;
  readonly byView: Map<string, WatchMessage>;
  /** Made for large commits alone. */
  byTenant: ChangesByTenant | undefined;
  weight: number;
}

/** Creates an empty cache. */
export function createMessageCache(maxWeight = defaultMaxWeight): MessageCache {
  /** By revision, in the order in which they were first asked for. */
  const kept = new Map<bigint, Known>();
  let weight = 0;

  const drop = (revision: bigint, known: Known): void => {
    kept.delete(revision);
    weight -= known.weight;
  };

  const add = (known: Known, more: number): void => {
    known.weight += more;
    weight += more;
    for (const [oldest, other] of kept) {
      if (weight <= maxWeight) {
        return;
      }
      if (other !== known) {
        drop(oldest, other);
      }
    }
  };

  const knownOf = (revision: bigint, incarnation: string): Known => {
    const found = kept.get(revision);
    if (found?.incarnation === incarnation) {
      return found;
    }
    if (found !== undefined) {
      drop(revision, found);
    }
    const [byAsker, byView] = [new Map<string, WatchMessage>(), new Map<string, WatchMessage>()];
    const known: Known = { incarnation, byAsker, byView, byTenant: undefined, weight: 0 };
    kept.set(revision, known);
    return known;
  };

  /** The message of a scope, made unless others have seen the same. */
  const made = (
    entry: HistoryEntry,
    known: Known,
    scope: string,
    viewer: Viewer,
  ): WatchMessage | undefined => {
    const isLarge = entry.changes.length > maxScannedChanges;
    if (isLarge && known.byTenant === undefined) {
      known.byTenant = changesByTenant(entry);
      add(known, entry.weight);
    }
    const changes = seenBy(entry, scope, known.byTenant);
    const seen = changes.map((each) => asSeen(each, viewer));
    if (seen.length === 0) {
      return undefined;
    }
    // The view of a large commit is not compared: the watchers of one scope share a message.
    const view = isLarge ? scope : seen.map(({ change, view }) => view + change.fqn).join(" ");
    // Viewers that see all of it share a message, whatever else they would not see.
    const isWhole = !isLarge && seen.every((each, index) => each === changes[index]);
    const key = `${view} ${isWhole ? "" : viewer.key}`;
    let message = known.byView.get(key);
    if (message === undefined) {
      message = changeMessage(entry.revision, known.incarnation, seen);
      known.byView.set(key, message);
      add(known, seen.reduce(addWeight, 2 * key.length));
    }
    return message;
  };

  return {
    get size() {
      return [...kept.values()].reduce((sum, { byView }) => sum + byView.size, 0);
    },
    messageOf(entry, scope, incarnation, viewer) {
      const known = knownOf(entry.revision, incarnation);
      const asker = viewer.key === "" ? scope : `${scope} ${viewer.key}`;
      let message = known.byAsker.get(asker);
      if (message === undefined && !known.byAsker.has(asker)) {
        message = made(entry, known, scope, viewer);
        known.byAsker.set(asker, message);
        add(known, askerWeight + 2 * asker.length);
      }
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
