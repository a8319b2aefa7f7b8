import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { organizationOf } from "./fqn.ts";
import { createHistory, type History, type HistoryLimits } from "./history.ts";
import { apply, type Change, type Commit, emptyState, type State, targetsOf } from "./state.ts";
import { createWatchers, type Watchers } from "./watchers.ts";

/**
 * How many past states page tokens and watches that begin may refer to. A state costs what the commits
 * since then have changed, so this bounds what unfinished reads can hold in memory.
 */
const maxPinnedStates = 256;

const defaultLimits: HistoryLimits = { maxCommits: 100_000, maxBytes: 64 * 1024 * 1024 };

/** The catalog in memory: its present state, its latest commits, and those who wait for the next. */
export interface Store {
  /** The present state. */
  readonly state: State;
  readonly history: History;
  /** Those who watch an organization, by its fqn. */
  readonly commitWatchers: Watchers;
  /** Those who watch a chain, by the target's fqn. */
  readonly chainWatchers: Watchers;
  /** Moves on to the state after a commit, whose revision has to be greater than the present one. */
  apply(commit: Commit): void;
  /** Keeps a state for `stateAt`, until many others have been pinned or asked for since. */
  pin(state: State): void;
  /** The state at a revision, if it is the present or a pinned one. */
  stateAt(revision: bigint): State | undefined;
}

/** Creates a store that holds nothing. */
export function createStore(limits: HistoryLimits = defaultLimits): Store {
  let present = emptyState();
  const history = createHistory(limits);
  const commitWatchers = createWatchers();
  const chainWatchers = createWatchers();
  // Least recently used first.
  const pinned = new Map<bigint, State>();
  return {
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
    pin(state) {
      pinned.delete(state.revision);
      pinned.set(state.revision, state);
      for (const revision of pinned.keys()) {
        if (pinned.size <= maxPinnedStates) {
          break;
        }
        pinned.delete(revision);
      }
    },
    stateAt(revision) {
      if (revision === present.revision) {
        return present;
      }
      const state = pinned.get(revision);
      if (state !== undefined) {
        this.pin(state);
      }
      return state;
    },
  };
}

function replacedExtensions(
  state: State,
  changes: readonly Change[],
): ReadonlyMap<string, WasmExtension> {
  const replaced = new Map<string, WasmExtension>();
  for (const { fqn } of changes) {
    const extension = state.extensions.get(fqn);
    if (extension !== undefined) {
      replaced.set(fqn, extension);
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
