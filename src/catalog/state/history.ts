/*
 * The latest commits, for those who watch.
 *
 * 1. Each organization has its own history, since no rule crosses organizations.
 * 2. The histories together are bounded by number of commits, memory and age. Over a bound, the
 *    organization with the largest history loses its oldest commit.
 * 3. The history does not know its readers: a reader asks for the revision that it wants next. A commit
 *    that is no longer kept is reported as missing, never skipped.
 */
import type { Commit } from "./commit.ts";
import { createDeque, type Deque, lowerBound } from "./deque.ts";
import type { Usability } from "./scope.ts";
import { createShares } from "./shares.ts";
import { SortedMap } from "./sorted-map.ts";
import { weigh } from "./weight.ts";

/** Who could use the extensions before a commit replaced or deleted them, by fqn. */
export type Replaced = ReadonlyMap<string, Usability>;

/** A commit, with what is needed to decide what each watcher sees of it. */
export interface HistoryEntry extends Commit {
  readonly replaced: Replaced;
  /** Its size in memory, in bytes. */
  readonly weight: number;
  /** The total of the organization's commits up to and including this one. */
  readonly total: Amount;
  /** When it was recorded, by the clock of the history. */
  readonly recordedAt: number;
}

/** An amount of commits. */
export interface Amount {
  readonly commits: number;
  readonly weight: number;
}

/** How much history is kept, of all organizations. */
export interface HistoryLimits {
  readonly maxCommits: number;
  /** In bytes of memory. The latest commit is kept whatever its size. */
  readonly maxWeight: number;
  readonly maxAgeMs: number;
}

/** The latest commits. */
export interface History {
  /** The size of all commits in memory, in bytes. */
  readonly weight: number;
  readonly length: number;
  /** The number of organizations that are remembered. */
  readonly organizations: number;
  /**
   * Records a commit.
   *
   * @param ageMs - how long ago it was made. Default: 0
   */
  record(commit: Commit, replaced: Replaced, ageMs?: number): void;
  /** The first commit of an organization at or after a revision; undefined if there is none yet. */
  first(organization: string, revision: bigint): HistoryEntry | undefined;
  /**
   * The oldest revision from which on all commits of an organization are kept.
   */
  oldest(organization: string): bigint;
  /** How much an organization has committed since an entry. */
  since(entry: HistoryEntry): Amount;
  /** Remembers an organization, even without commits, until it is forgotten. */
  remember(organization: string): void;
  /** Forgets an organization that has no commits. */
  forget(organization: string): void;
  /** Drops all commits, and sets the floor. */
  reset(floor: bigint): void;
}

interface Known {
  oldest: bigint;
  /** The revision of its latest commit; 0 if it has none. */
  latest: bigint;
  total: Amount;
  /** Its commits that are kept, by revision. */
  readonly commits: Deque<HistoryEntry>;
}

/**
 * Creates an empty history.
 *
 * @param now - the time in ms
 * @param onEmptied - is called when the last commit of an organization is dropped
 */
export function createHistory(
  { maxCommits, maxWeight, maxAgeMs }: HistoryLimits,
  now: () => number,
  onEmptied: (organization: string) => void = () => undefined,
): History {
  const known = new Map<string, Known>();
  /** Those with commits, by the revision of their oldest one. */
  const byOldest = new SortedMap<bigint, Known>(undefined, compareRevisions);
  let length = 0;
  /** The latest revision of all. */
  let latest = 0n;
  const shares = createShares();
  /** The floor of the organizations that are not remembered. */
  let floor = 1n;

  const knownOf = (organization: string): Known => {
    let found = known.get(organization);
    if (found === undefined) {
      const commits = createDeque<HistoryEntry>();
      found = { oldest: floor, latest: 0n, total: { commits: 0, weight: 0 }, commits };
      known.set(organization, found);
    }
    return found;
  };

  /** Drops the oldest commit of an organization. */
  const drop = ({ organization, revision, weight }: HistoryEntry): void => {
    const of = knownOf(organization);
    byOldest.delete(revision);
    of.commits.shift();
    of.oldest = revision + 1n;
    length--;
    shares.set(organization, shares.of(organization) - weight);
    const next = of.commits.at(0);
    if (next === undefined) {
      onEmptied(organization);
    } else {
      byOldest.set(next.revision, of);
    }
  };

  const first = (organization: string, revision: bigint): HistoryEntry | undefined => {
    const of = known.get(organization);
    // Readers that have read everything ask for what comes next.
    return of === undefined || revision > of.latest
      ? undefined
      : of.commits.at(lowerBound(of.commits, (entry) => entry.revision < revision));
  };

  /** The oldest commit of the organization with the largest history, but never the latest of all. */
  const dispensable = (): HistoryEntry | undefined => {
    for (const organization of shares.byAmount()) {
      const entry = known.get(organization)?.commits.at(0);
      if (entry !== undefined && entry.revision !== latest) {
        return entry;
      }
    }
    return undefined;
  };

  const dropWhatIsTooMuch = (): void => {
    const oldestKept = now() - maxAgeMs;
    for (;;) {
      const oldest = byOldest.minKey();
      const entry = oldest === undefined ? undefined : byOldest.get(oldest)?.commits.at(0);
      if (entry === undefined || entry.recordedAt >= oldestKept) {
        break;
      }
      drop(entry);
    }
    while (length > maxCommits || shares.total > maxWeight) {
      const entry = dispensable();
      if (entry === undefined) {
        return;
      }
      drop(entry);
    }
  };

  return {
    get weight() {
      return shares.total;
    },
    get length() {
      return length;
    },
    get organizations() {
      return known.size;
    },
    record(commit, replaced, ageMs = 0) {
      const { organization, revision } = commit;
      const of = knownOf(organization);
      const weight = weighCommit(commit, replaced);
      of.total = { commits: of.total.commits + 1, weight: of.total.weight + weight };
      of.latest = revision;
      const { total } = of;
      const recordedAt = now() - ageMs;
      const entry: HistoryEntry = { ...commit, replaced, weight, total, recordedAt };
      if (of.commits.length === 0) {
        byOldest.set(revision, of);
      }
      of.commits.push(entry);
      length++;
      latest = revision;
      shares.set(organization, shares.of(organization) + weight);
      dropWhatIsTooMuch();
    },
    first,
    since({ organization, total }) {
      const latest = known.get(organization)?.total ?? total;
      return { commits: latest.commits - total.commits, weight: latest.weight - total.weight };
    },
    oldest: (organization) => known.get(organization)?.oldest ?? floor,
    remember(organization) {
      knownOf(organization);
    },
    forget(organization) {
      const of = known.get(organization);
      if (of?.commits.length === 0) {
        known.delete(organization);
        floor = of.oldest > floor ? of.oldest : floor;
      }
    },
    reset(newFloor) {
      for (const organization of known.keys()) {
        shares.set(organization, 0);
      }
      known.clear();
      byOldest.clear();
      length = 0;
      floor = newFloor;
    },
  };
}

/** The size of an entry without its changes: itself, its place in a list, its metadata. */
const entryWeight = 700;
/** The size of a change without its object: itself, and its places in lists of changes by tenant. */
const changeWeight = 120;
const detachmentWeight = 56;

/** The size of a commit in the history, in bytes of memory. */
export function weighCommit({ changes, metadata }: Commit, replaced: Replaced): number {
  let weight = entryWeight;
  for (const change of changes) {
    weight += changeWeight;
    switch (change.kind) {
      case "put-extension":
        weight += change.extension.weight;
        break;
      case "put-attachments":
        weight += change.attachmentSet.weight;
        break;
      default:
        weight += weigh(change.fqn);
    }
  }
  for (const usability of replaced.values()) {
    weight += weigh(usability);
  }
  for (const { attachment } of metadata.detached) {
    weight += detachmentWeight + weigh(attachment);
  }
  return weight;
}

function compareRevisions(a: bigint, b: bigint): number {
  return a < b ? -1 : a === b ? 0 : 1;
}
