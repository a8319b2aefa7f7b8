import { apply, type Commit, emptyState, type State } from "./state.ts";

/**
 * How many past states page tokens may refer to. A state costs what the commits since then have
 * changed, so this bounds what unfinished lists can hold in memory.
 */
const maxPinnedStates = 256;

/** The catalog in memory: its present state, and those past ones that a list still pages through. */
export interface Store {
  /** The present state. */
  readonly state: State;
  /** Moves on to the state after a commit, whose revision has to be greater than the present one. */
  apply(commit: Commit): void;
  /** Keeps a state for `stateAt`, until many others have been pinned or asked for since. */
  pin(state: State): void;
  /** The state at a revision, if it is the present or a pinned one. */
  stateAt(revision: bigint): State | undefined;
}

/** Creates a store that holds nothing. */
export function createStore(): Store {
  let present = emptyState();
  // Least recently used first.
  const pinned = new Map<bigint, State>();
  return {
    get state() {
      return present;
    },
    apply(commit) {
      if (commit.revision <= present.revision) {
        throw new RangeError(`commit ${commit.revision} does not follow ${present.revision}`);
      }
      present = apply(present, commit);
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
