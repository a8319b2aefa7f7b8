import type { State } from "./state.ts";

/**
 * How many past states are kept. A state costs what the commits since then have changed, so this
 * bounds what unfinished reads can hold in memory.
 */
const maxStates = 256;

/** Past states that readers still need. The least recently used is forgotten when there are many. */
export interface KeptStates {
  keep(state: State): void;
  /** The state at a revision, if it is still kept. */
  at(revision: bigint): State | undefined;
}

/** Creates a collection that holds nothing. */
export function createKeptStates(): KeptStates {
  // Least recently used first.
  const states = new Map<bigint, State>();
  const keep = (state: State): void => {
    states.delete(state.revision);
    states.set(state.revision, state);
    const [oldest] = states.keys();
    if (states.size > maxStates && oldest !== undefined) {
      states.delete(oldest);
    }
  };
  return {
    keep,
    at(revision) {
      const state = states.get(revision);
      if (state !== undefined) {
        keep(state);
      }
      return state;
    },
  };
}
