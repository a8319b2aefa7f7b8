import { randomUUID } from "node:crypto";
import type { Change, Commit } from "./state/commit.ts";
import { createHistory, type History, type HistoryLimits, type Replaced } from "./state/history.ts";
import { createNotifier, type Notifier } from "./state/notifier.ts";
import type { Usability } from "./state/scope.ts";
import { createSnapshots, type SnapshotLimits, type Snapshots } from "./state/snapshots.ts";
import {
  apply,
  emptyState,
  findExtension,
  type Prepared,
  type State,
  targetsOf,
} from "./state/state.ts";
import { createTurns, type Turns } from "./state/turns.ts";
import { createLatestChain, type LatestChain } from "./watch/latest-chain.ts";
import { createMessageCache, type MessageCache } from "./watch/message-cache.ts";

/** What a journal moves, and nobody else: what the catalog holds now. */
export interface Sink {
  /** The present state. */
  readonly state: State;
  /** Where work that takes long waits for its turn. */
  readonly turns: Turns;
  /** Becomes a catalog that was stored. */
  restore(restored: Restored): void;
  /**
   * Moves on to the state after a commit, whose revision has to be greater than the present one.
   *
   * @param prepared - what `prepare` made of the changes, so that it need not be done now
   */
  apply(commit: Commit, prepared?: Prepared): void;
}

/** A catalog as a journal has stored it. */
export interface Restored {
  /** All of it, at its revision. */
  readonly state: State;
  /** Tells this catalog from every other one, over restarts and on all its servers. */
  readonly incarnation: string;
  /** The oldest revision that a watch can begin with. */
  readonly floor: bigint;
  /** The commits from the floor on, in order. */
  readonly history?: Iterable<{ readonly commit: Commit; readonly replaced: Replaced }>;
}

/** The catalog in memory, for those who read it. */
export interface Reader extends Pick<Sink, "state" | "turns"> {
  /**
   * Tells this catalog from every other one, so that what refers to its revisions is not taken for
   * another's: those of a catalog that begins anew begin with 1 again.
   */
  readonly incarnation: string;
  readonly history: History;
  /** Past states that unfinished reads need. */
  readonly snapshots: Snapshots;
  /** What the latest commits send to watches. */
  readonly messages: MessageCache;
  /** What the latest commits send to watches of chains. */
  readonly latestChain: LatestChain;
  /** Tells of the commits of an organization, by its fqn. */
  readonly commitNotifier: Notifier;
  /** Tells of changes that a chain may have, by the target's fqn. */
  readonly chainNotifier: Notifier;
}

/** The catalog in memory. */
export interface Store extends Reader, Sink {}

/** Options of a store. */
export interface StoreOptions {
  /** What of the history is kept. Default: 100,000 commits, 128 MiB, a day. */
  readonly history?: Partial<HistoryLimits>;
  /** What of past states is kept. Default: 128 MiB, 10 minutes unused. */
  readonly snapshots?: Partial<SnapshotLimits>;
  /** Default: a new one. */
  readonly incarnation?: string;
  /** The time in ms; when it began does not matter. */
  readonly now?: () => number;
}

/** How much of the history a store keeps, unless it is told otherwise. */
export const defaultHistory: HistoryLimits = {
  maxCommits: 100_000,
  maxWeight: 128 * 1024 * 1024,
  maxAgeMs: 24 * 60 * 60 * 1000,
};

/** How much of past states a store keeps, unless it is told otherwise. */
export const defaultSnapshots: SnapshotLimits = {
  maxWeight: 128 * 1024 * 1024,
  maxIdleMs: 10 * 60 * 1000,
};

/** Creates a store that holds nothing. */
export function createStore({
  history: historyLimits,
  snapshots: snapshotLimits,
  incarnation: firstIncarnation = randomUUID(),
  now = () => performance.now(),
}: StoreOptions = {}): Store {
  let present = emptyState();
  let incarnation = firstIncarnation;

  // An organization need not exist, so what is known of it goes with the last that needs it.
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
    messages: createMessageCache(),
    latestChain: createLatestChain(),
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
      for (const { commit, replaced } of commits) {
        history.record(commit, replaced);
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
      if (chainNotifier.size > 0) {
        for (const target of affectedTargets(present, changes)) {
          chainNotifier.notify(target);
        }
      }
    },
  };
}

const nothingReplaced: Replaced = new Map();

/** Who could use the extensions that changes replace or delete. */
export function replacedBy(state: State, changes: readonly Change[]): Replaced {
  let replaced: Map<string, Usability> | undefined;
  for (const { kind, fqn } of changes) {
    const extension =
      kind === "put-extension" || kind === "delete-extension"
        ? findExtension(state, fqn)
        : undefined;
    if (extension !== undefined) {
      replaced ??= new Map();
      replaced.set(fqn, { fqn, allowedIn: extension.message.allowedIn });
    }
  }
  return replaced ?? nothingReplaced;
}

/** The targets whose chain a commit may change: those of its sets, and of its extensions. */
function affectedTargets(state: State, changes: readonly Change[]): ReadonlySet<string> {
  const targets = new Set<string>();
  for (const { kind, fqn } of changes) {
    if (kind === "put-attachments" || kind === "delete-attachments") {
      targets.add(fqn);
    } else {
      for (const target of targetsOf(state, fqn)) {
        targets.add(target);
      }
    }
  }
  return targets;
}
