import { randomUUID } from "node:crypto";
import { type Change, type Commit, isOfExtension } from "./state/commit.ts";
import { createHistory, type History, type HistoryLimits, type Replaced } from "./state/history.ts";
import { createNotifier, type Notifier } from "./state/notifier.ts";
import type { Usability } from "./state/scope.ts";
import { createSnapshots, type SnapshotLimits, type Snapshots } from "./state/snapshots.ts";
import { apply, emptyState, findExtension, type Prepared, type State } from "./state/state.ts";
import { createPageTokens, type PageTokens } from "./reads/page-token.ts";
import { createTurns, type Turns } from "./state/turns.ts";
import { affectedChains } from "./watch/affected-chains.ts";
import { createLatestChain, type LatestChain } from "./watch/latest-chain.ts";
import { createLatestParts, type LatestParts } from "./watch/latest-parts.ts";
import { createMessageCache, type MessageCache } from "./watch/message-cache.ts";

/** The side of a store that only its journal uses. */
export interface Sink {
  /** The present state. */
  readonly state: State;
  /** The turns of long work. */
  readonly turns: Turns;
  /** Replaces everything by a catalog that was stored. */
  restore(restored: Restored): void;
  /**
   * Moves on to the state after a commit, whose revision has to be greater than the present one.
   *
   * @param prepared - what `prepare` made of the changes, if it was called before
   */
  apply(commit: Commit, prepared?: Prepared): void;
}

/** A catalog as a journal has stored it. */
export interface Restored {
  /** All of it, at its revision. */
  readonly state: State;
  /** Identifies the catalog, over restarts and on all its servers. */
  readonly incarnation: string;
  /** The oldest revision that a watch can begin with. */
  readonly floor: bigint;
  /** The commits from the floor on, in order. */
  readonly history?: Iterable<RestoredCommit>;
}

/** A commit as a journal has stored it. */
export interface RestoredCommit {
  readonly commit: Commit;
  readonly replaced: Replaced;
  /** How long ago it was made. Default: 0. */
  readonly ageMs?: number;
}

/** The side of a store for readers. */
export interface Reader extends Pick<Sink, "state" | "turns"> {
  /**
   * Identifies the catalog that revisions belong to: a catalog that begins anew counts from 1 again.
   */
  readonly incarnation: string;
  readonly history: History;
  /** Snapshots for unfinished reads. */
  readonly snapshots: Snapshots;
  readonly pageTokens: PageTokens;
  /** The messages of the latest commits. */
  readonly messages: MessageCache;
  /** The latest chain, shared by its watchers. */
  readonly latestChain: LatestChain;
  /** The latest parts of states, shared by those who begin to watch. */
  readonly latestParts: LatestParts;
  /** Notifies of commits, by the organization's fqn. */
  readonly commitNotifier: Notifier;
  /** Notifies of possible changes of a chain, by the target's fqn. */
  readonly chainNotifier: Notifier;
}

/** The catalog in memory. */
export interface Store extends Reader, Sink {}

/** Options of a store. */
export interface StoreOptions {
  /** Limits of the history. Default: 100,000 commits, 128 MiB, a day. */
  readonly history?: Partial<HistoryLimits>;
  /** Limits of snapshots. Default: 128 MiB, 10 minutes unused. */
  readonly snapshots?: Partial<SnapshotLimits>;
  /** Default: a new one. */
  readonly incarnation?: string;
  /** Milliseconds since any fixed time. */
  readonly now?: () => number;
}

/** The default limits of the history. */
export const defaultHistory: HistoryLimits = {
  maxCommits: 100_000,
  maxWeight: 128 * 1024 * 1024,
  maxAgeMs: 24 * 60 * 60 * 1000,
};

/** The default limits of snapshots. */
export const defaultSnapshots: SnapshotLimits = {
  maxWeight: 128 * 1024 * 1024,
  maxIdleMs: 10 * 60 * 1000,
};

/** Creates an empty store. */
export function createStore({
  history: historyLimits,
  snapshots: snapshotLimits,
  incarnation: firstIncarnation = randomUUID(),
  now = () => performance.now(),
}: StoreOptions = {}): Store {
  let present = emptyState();
  let incarnation = firstIncarnation;

  // An organization may be empty: it is forgotten with its last subscription or commit.
  const forgetUnused = (organization: string): void => {
    if (!present.organizations.has(organization) && !commitNotifier.has(organization)) {
      history.forget(organization);
    }
  };
  const history = createHistory({ ...defaultHistory, ...historyLimits }, now, forgetUnused);
  const commitNotifier = createNotifier(forgetUnused);
  const chainNotifier = createNotifier();
  const snapshots = createSnapshots({ ...defaultSnapshots, ...snapshotLimits }, now);

  return {
    get incarnation() {
      return incarnation;
    },
    get state() {
      return present;
    },
    history,
    snapshots,
    commitNotifier,
    chainNotifier,
    pageTokens: createPageTokens(),
    messages: createMessageCache(),
    latestChain: createLatestChain(),
    latestParts: createLatestParts(),
    turns: createTurns(),
    restore({ state, incarnation: restoredIncarnation, floor, history: commits = [] }) {
      if (restoredIncarnation === incarnation && state.revision < present.revision) {
        throw new RangeError(`revision ${state.revision} is older than ${present.revision}`);
      }
      present = state;
      incarnation = restoredIncarnation;
      snapshots.clear();
      history.reset(floor);
      for (const organization of [...state.organizations.keys(), ...commitNotifier.keys()]) {
        history.remember(organization);
      }
      for (const { commit, replaced, ageMs } of commits) {
        history.record(commit, replaced, ageMs);
      }
      commitNotifier.notifyAll();
      chainNotifier.notifyAll();
    },
    apply(commit, prepared) {
      const { revision, organization, changes } = commit;
      if (revision <= present.revision || changes.length === 0) {
        throw new RangeError(`commit ${revision} does not follow ${present.revision}`);
      }
      const before = present;
      snapshots.weigh(before, commit);
      present = apply(before, commit, prepared);
      history.record(commit, replacedBy(before, changes));
      commitNotifier.notify(organization);
      for (const target of affectedChains(present, changes, chainNotifier)) {
        chainNotifier.notify(target);
      }
    },
  };
}

const nothingReplaced: Replaced = new Map();

/** Who could use the extensions before changes replace or delete them. */
export function replacedBy(state: State, changes: readonly Change[]): Replaced {
  let replaced: Map<string, Usability> | undefined;
  for (const change of changes) {
    const { fqn } = change;
    const extension = isOfExtension(change) ? findExtension(state, fqn) : undefined;
    if (extension !== undefined) {
      replaced ??= new Map();
      replaced.set(fqn, { fqn, allowedIn: extension.message.allowedIn });
    }
  }
  return replaced ?? nothingReplaced;
}
