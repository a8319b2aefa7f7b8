/*
 * Past states that unfinished reads still need: lists that go on page by page, and watches that have not
 * been sent all of the present state.
 *
 * 1. A snapshot is of one organization, and holds nothing of the others.
 * 2. It holds what commits have replaced since. Commits that come after it make it heavier.
 * 3. All of them together are bounded by what they hold in memory, and each by the time for which
 *    nobody has used it. When they hold too much, the organization that holds most loses its oldest.
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

/** How much snapshots hold. */
export interface SnapshotLimits {
  /** In bytes of memory, all together. */
  readonly maxWeight: number;
  /** For how long one is kept that nobody uses. */
  readonly maxIdleMs: number;
}

/** Past states of organizations. */
export interface Snapshots {
  readonly size: number;
  /** What they hold beside the present state, in bytes of memory. */
  readonly weight: number;
  /** Keeps what a state holds of an organization. */
  keep(state: State, organization: string): void;
  /** What the state at a revision holds of an organization, if it is still kept. */
  at(organization: string, revision: bigint): State | undefined;
  /** Says that a commit is about to replace some of a state. */
  weigh(before: State, commit: Commit): void;
  /** Forgets all. */
  clear(): void;
}

interface Snapshot {
  readonly organization: string;
  readonly state: State;
  /** What had been replaced in the organization when it was taken. */
  readonly replacedBefore: number;
  usedAt: number;
}

interface Taken {
  /** By revision, oldest first. */
  readonly snapshots: Map<bigint, Snapshot>;
  /** What has been replaced in the organization since its first snapshot, in bytes. */
  replaced: number;
}

/** What a snapshot holds itself: the roots of its trees, and its places in here. */
const ownWeight = 2_048;

/**
 * Creates a collection that holds nothing.
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

/** What the state before a commit holds that the one after it does not, in bytes. */
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

/** What the nodes on the way to one place of a tree hold, which a change copies. */
function pathWeight(size: number): number {
  const nodeWeight = 150;
  const placeWeight = 16;
  const placesInNode = 24;
  const levels = 1 + Math.floor(Math.log(Math.max(size, 1)) / Math.log(placesInNode));
  return levels * (nodeWeight + placeWeight * Math.min(size, placesInNode));
}
