import type { Change, State } from "./state.ts";

/** What a write does to a state: the changes, none if there is nothing to do, and its answer. */
export interface Planned<Answer> {
  readonly changes: readonly Change[];
  readonly answer: Answer;
}

/**
 * A write whose request has been validated: decides against a state, and changes nothing itself.
 *
 * Raises a CatalogError if the state does not allow the write.
 */
export type Plan<Answer> = (state: State) => Planned<Answer>;
