/*
 * The latest commits, for those who watch.
 *
 * 1. Commits are kept for each organization on its own, since no rule crosses organizations: what one
 *    of them does makes another's watchers miss nothing that they wait for.
 * 2. All of them together are bounded, by number and by size; the oldest goes first.
 * 3. Readers hold no place in here. A reader knows which revision it wants next, and asks; a slow one
 *    costs nothing, and finds one day that too much has come after what it wants, or that it is gone.
 */
import type { WatchResponse } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { compareText } from "./order.ts";
import type { Usability } from "./scope.ts";
import { SortedMap } from "./sorted-map.ts";
import type { Change, Commit } from "./state.ts";

/** A commit, with what is needed to tell each watcher what it means to it. */
export interface HistoryEntry {
  readonly revision: bigint;
  readonly organization: string;
  readonly changes: readonly Change[];
  /** Who could use the extensions that the commit replaced or deleted. */
  readonly previous: ReadonlyMap<string, Usability>;
  /**
   * What the commit sends, made for the first watcher that it means something to, and shared by all to
   * whom it means the same; see watch-events.ts.
   */
  readonly responses: Map<string, WatchResponse>;
  /** The changes by the tenant whose attachments they change, once someone has asked for that. */
  readonly byTenant: { value?: ReadonlyMap<string, readonly Change[]> };
  /** Roughly what it holds in memory: the encoded size of its objects, and some for itself. */
  readonly bytes: number;
  /** How much the organization had committed with it, since the history began. */
  readonly total: Amount;
}

/** An amount of commits. */
export interface Amount {
  readonly commits: number;
  readonly bytes: number;
}

/** How much history is kept, in all. */
export interface HistoryLimits {
  readonly maxCommits: number;
  readonly maxBytes: number;
}

/** What an entry holds beside its objects, in bytes, roughly. */
const entryBytes = 512;

/** The latest commits. */
export interface History {
  readonly bytes: number;
  readonly length: number;
  record(commit: Commit, organization: string, previous: ReadonlyMap<string, Usability>): void;
  /** The first commit of an organization at or after a revision; undefined if there is none yet. */
  first(organization: string, revision: bigint): HistoryEntry | undefined;
  /**
   * The oldest revision from which on all commits of an organization are kept. Asking for an older
   * one means to miss some.
   */
  oldest(organization: string): bigint;
  /** How much an organization has committed since an entry. */
  since(entry: HistoryEntry): Amount;
}

interface Key {
  readonly organization: string;
  readonly revision: bigint;
}

/** Creates a history that holds nothing. */
export function createHistory({ maxCommits, maxBytes }: HistoryLimits): History {
  const byOrganization = new SortedMap<Key, HistoryEntry>(undefined, compareKeys);
  const byRevision = new SortedMap<bigint, HistoryEntry>(undefined, compareRevisions);
  /** The last commit of each organization that is no longer kept. */
  const dropped = new Map<string, bigint>();
  const totals = new Map<string, Amount>();
  let bytes = 0;

  const dropOldest = (): void => {
    const oldest = byRevision.minKey();
    const entry = oldest === undefined ? undefined : byRevision.get(oldest);
    if (entry !== undefined) {
      byRevision.delete(entry.revision);
      byOrganization.delete(entry);
      dropped.set(entry.organization, entry.revision);
      bytes -= entry.bytes;
    }
  };

  return {
    get bytes() {
      return bytes;
    },
    get length() {
      return byRevision.size;
    },
    record({ revision, changes }, organization, previous) {
      const size = entryBytes + sizeOf(changes, previous);
      const before = totals.get(organization) ?? { commits: 0, bytes: 0 };
      const total = { commits: before.commits + 1, bytes: before.bytes + size };
      totals.set(organization, total);
      const entry: HistoryEntry = {
        revision,
        organization,
        changes,
        previous,
        responses: new Map(),
        byTenant: {},
        bytes: size,
        total,
      };
      byOrganization.set({ organization, revision }, entry);
      byRevision.set(revision, entry);
      bytes += entry.bytes;
      while (byRevision.size > maxCommits || (bytes > maxBytes && byRevision.size > 1)) {
        dropOldest();
      }
    },
    first(organization, revision) {
      const found = byOrganization.getPairOrNextHigher({ organization, revision })?.[1];
      return found?.organization === organization ? found : undefined;
    },
    since({ organization, total }) {
      const now = totals.get(organization) ?? total;
      return { commits: now.commits - total.commits, bytes: now.bytes - total.bytes };
    },
    oldest: (organization) => (dropped.get(organization) ?? 0n) + 1n,
  };
}

function sizeOf(changes: readonly Change[], previous: ReadonlyMap<string, Usability>): number {
  const ofChanges = changes.map(
    (change) => change.fqn.length + ("bytes" in change ? change.bytes : 0),
  );
  const ofPrevious = [...previous.values()].flatMap(({ fqn, allowedIn }) => [
    fqn.length,
    ...allowedIn.map((entry) => entry.length),
  ]);
  return [...ofChanges, ...ofPrevious].reduce((total, bytes) => total + bytes, 0);
}

function compareKeys(a: Key, b: Key): number {
  return compareText(a.organization, b.organization) || compareRevisions(a.revision, b.revision);
}

function compareRevisions(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
