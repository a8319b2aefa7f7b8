import { randomUUID } from "node:crypto";
import { organizationOf } from "./fqn.ts";
import { createHistory, type History, type HistoryLimits } from "./history.ts";
import type { Usability } from "./scope.ts";
import { apply, type Change, type Commit, emptyState, type State, targetsOf } from "./state.ts";
import { createKeptStates, type KeptStates } from "./kept-states.ts";
import { createWatchers, type Watchers } from "./watchers.ts";

const defaultLimits: HistoryLimits = { maxCommits: 100_000, maxBytes: 64 * 1024 * 1024 };

/** The catalog in memory: its present state, its latest commits, and those who wait for the next. */
export interface Store {
  /**
   * Tells this store from every other one, so that what refers to its revisions is not taken for
   * another's: those of a store that holds nothing begin again.
   */
  readonly incarnation: string;
  /** The present state. */
  readonly state: State;
  readonly history: History;
  /** Those who watch an organization, by its fqn. */
  readonly commitWatchers: Watchers;
  /** Those who watch a chain, by the target's fqn. */
  readonly chainWatchers: Watchers;
  /** Moves on to the state after a commit, whose revision has to be greater than the present one. */
  apply(commit: Commit): void;
  /** The states that page tokens refer to. */
  readonly pagedStates: KeptStates;
  /** The states that watches still send, which began with more than one message holds. */
  readonly watchedStates: KeptStates;
}

/** Creates a store that holds nothing. */
export function createStore(
  limits: HistoryLimits = defaultLimits,
  incarnation: string = randomUUID(),
): Store {
  let present = emptyState();
  const history = createHistory(limits);
  const commitWatchers = createWatchers();
  const chainWatchers = createWatchers();
  return {
    incarnation,
    history,
    commitWatchers,
    chainWatchers,
    get state() {
      return present;
    },
    apply(commit) {
      const [first] = commit.changes;
      if (commit.revision <= present.revision || first === undefined) {
        throw new RangeError(`commit ${commit.revision} does not follow ${present.revision}`);
      }
      const organization = organizationOf(first.fqn);
      const previous = replacedExtensions(present, commit.changes);
      present = apply(present, commit);
      history.record(commit, organization, previous);
      commitWatchers.wake(organization);
      for (const target of affectedTargets(present, commit.changes)) {
        chainWatchers.wake(target);
      }
    },
    pagedStates: createKeptStates(),
    watchedStates: createKeptStates(),
  };
}

function replacedExtensions(
  state: State,
  changes: readonly Change[],
): ReadonlyMap<string, Usability> {
  const replaced = new Map<string, Usability>();
  for (const change of changes) {
    const extension = state.extensions.get(change.fqn);
    if (extension !== undefined) {
      replaced.set(change.fqn, { fqn: extension.fqn, allowedIn: extension.allowedIn });
    }
  }
  return replaced;
}

/** The targets whose chain a commit may change: those of its sets, and of its extensions. */
function affectedTargets(state: State, changes: readonly Change[]): ReadonlySet<string> {
  return new Set(
    changes.flatMap((change) =>
      change.kind === "put-attachments" || change.kind === "delete-attachments"
        ? [change.fqn]
        : [...targetsOf(state, change.fqn)],
    ),
  );
}
