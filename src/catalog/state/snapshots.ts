/*
 * Snapshots for unfinished reads: lists that are read page by page, and watches that have not sent all of
 * the state that they began with.
 *
 * 1. A snapshot is of one organization, and holds nothing of the others.
 * 2. A snapshot weighs what later commits have replaced, so each commit makes it heavier.
 * 3. A snapshot that is not used for a time is dropped. Snapshots together are bounded by memory; over the
 *    bound, the organization with the largest share loses its oldest.
 */
import type { Commit } from "./commit.ts";
import { createShares } from "./shares.ts";
import {
  findAttachments,
  findExtension,
  organizationIn,
  type State,
  stateWithin,
} from "./state.ts";

/** Limits of snapshots. */
export interface SnapshotLimits {
  /** In bytes of memory, all together. */
  readonly maxWeight: number;
  /** For how long an unused snapshot is kept. */
  readonly maxIdleMs: number;
}

/** Snapshots of organizations. */
export interface Snapshots {
  readonly size: number;
  /** Their size in memory, without what the present state holds as well, in bytes. */
  readonly weight: number;
  /** Keeps a snapshot of an organization. */
  keep(state: State, organization: string): void;
  /** The snapshot of an organization at a revision, if it is still kept. */
  at(organization: string, revision: bigint): State | undefined;
  /** Records that a commit replaces a part of a state. */
  weigh(before: State, commit: Commit): void;
  /** Drops all snapshots. */
  clear(): void;
}

interface Snapshot {
  readonly organization: string;
  readonly state: State;
  /** The organization's `replaced` when the snapshot was taken. */
  readonly replacedBefore: number;
  usedAt: number;
}

interface Taken {
  /** By revision, oldest first. */
  readonly snapshots: Map<bigint, Snapshot>;
  /** The size of what was replaced in the organization since its first snapshot, in bytes. */
  replaced: number;
}

/** The size of a snapshot itself: the roots of its trees, and its places in the maps here. */
const ownWeight = 2_048;

/**
 * Creates an empty collection.
 *
 * @param now - the time in ms
 */
export function createSnapshots(
  { maxWeight, maxIdleMs }: SnapshotLimits,
  now: () => number,
): Snapshots {
  const byOrganization = new Map<string, Taken>();
  const shares = createShares();
  /** All of them, the least recently used first. */
  const byUse = new Set<Snapshot>();

  const use = (snapshot: Snapshot): void => {
    snapshot.usedAt = now();
    byUse.delete(snapshot);
    byUse.add(snapshot);
  };

  const settle = (organization: string): void => {
    const taken = byOrganization.get(organization);
    const [oldest] = taken?.snapshots.values() ?? [];
    if (taken === undefined || oldest === undefined) {
      byOrganization.delete(organization);
      shares.set(organization, 0);
      return;
    }
    const held = taken.replaced - oldest.replacedBefore;
    shares.set(organization, held + taken.snapshots.size * ownWeight);
  };

  const forget = (snapshot: Snapshot): void => {
    byUse.delete(snapshot);
    byOrganization.get(snapshot.organization)?.snapshots.delete(snapshot.state.revision);
    settle(snapshot.organization);
  };

  const forgetIdle = (): void => {
    const usedSince = now() - maxIdleMs;
    for (const snapshot of byUse) {
      if (snapshot.usedAt >= usedSince) {
        return;
      }
      forget(snapshot);
    }
  };

  const forgetWhatIsTooMuch = (): void => {
    forgetIdle();
    while (shares.total > maxWeight) {
      const [largest = ""] = shares.byAmount();
      const taken = byOrganization.get(largest);
      const [oldest] = taken?.snapshots.values() ?? [];
      if (oldest === undefined) {
        return;
      }
      forget(oldest);
    }
  };

  return {
    get size() {
      return byUse.size;
    },
    get weight() {
      return shares.total;
    },
    keep(state, organization) {
      let taken = byOrganization.get(organization);
      if (taken === undefined) {
        taken = { snapshots: new Map(), replaced: 0 };
        byOrganization.set(organization, taken);
      }
      let snapshot = taken.snapshots.get(state.revision);
      if (snapshot === undefined) {
        snapshot = {
          organization,
          state: stateWithin(state, organization),
          replacedBefore: taken.replaced,
          usedAt: 0,
        };
        taken.snapshots.set(state.revision, snapshot);
      }
      use(snapshot);
      settle(organization);
      forgetWhatIsTooMuch();
    },
    at(organization, revision) {
      forgetIdle();
      const snapshot = byOrganization.get(organization)?.snapshots.get(revision);
      if (snapshot !== undefined) {
        use(snapshot);
      }
      return snapshot?.state;
    },
    weigh(before, commit) {
      const taken = byOrganization.get(commit.organization);
      if (taken !== undefined) {
        taken.replaced += replacedWeight(before, commit);
        settle(commit.organization);
      }
      forgetWhatIsTooMuch();
    },
    clear() {
      byOrganization.forEach(({ snapshots }) => {
        snapshots.clear();
      });
      [...byOrganization.keys()].forEach(settle);
      byUse.clear();
    },
  };
}

/** The size of what a commit replaces, in bytes. */
function replacedWeight(before: State, { organization, changes }: Commit): number {
  const held = organizationIn(before, organization);
  if (held === undefined) {
    return 0;
  }
  // One tree by fqn, and two in execution order, in which an extension may move to another place.
  const extensionTrees = 5 * pathWeight(held.extensions.size);
  const attachmentTrees = pathWeight(held.attachmentSets.size) + pathWeight(held.targets.size);
  let weight = 0;
  for (const change of changes) {
    switch (change.kind) {
      case "put-extension":
      case "delete-extension":
        weight += extensionTrees + (findExtension(before, change.fqn)?.weight ?? 0);
        break;
      case "put-attachments":
      case "delete-attachments":
        weight += attachmentTrees + (findAttachments(before, change.fqn)?.weight ?? 0);
    }
  }
  return weight;
}

/** The size of the nodes from the root to one place of a tree, which a change copies. */
function pathWeight(size: number): number {
  const nodeWeight = 150;
  const placeWeight = 16;
  const placesInNode = 24;
  const levels = 1 + Math.floor(Math.log(Math.max(size, 1)) / Math.log(placesInNode));
  return levels * (nodeWeight + placeWeight * Math.min(size, placesInNode));
}
