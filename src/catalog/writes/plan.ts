import { type Change, type Detachment, isOfExtension } from "../state/commit.ts";
import { finished } from "../state/turns.ts";
import { apply, findAttachments, findExtension, prepare, type State } from "../state/state.ts";

/**
 * A write whose request has been validated. Deciding it on a state changes nothing, so it can be decided
 * again on a newer state, or tried without a commit.
 */
export interface Plan<Answer> {
  /** The fqn of the one organization that it reads and changes. */
  readonly organization: string;
  /**
   * The objects that the request names. A cascade reads other objects of the same organization.
   */
  readonly reads: readonly string[];
  /**
   * Decides on a state. It yields where others may run in between.
   *
   * Raises a CatalogError if the state does not allow the write.
   */
  decide(state: State): Iterator<void, Decision<Answer>>;
}

/** What a write does to a state. */
export interface Decision<Answer> {
  /** Empty if there is nothing to do. */
  readonly changes: readonly Change[];
  /** The attachments that a cascade removes. */
  readonly detached: readonly Detachment[];
  readonly answer: Answer;
}

/** Decides a plan without a pause: for tries, and for tests. */
export function decideNow<Answer>(plan: Plan<Answer>, state: State): Decision<Answer> {
  return finished(plan.decide(state));
}

/**
 * Combines plans into one that makes a single commit or none. Each plan is decided on the state that the
 * plans before it leave. The answer is the list of their answers.
 *
 * Raises a TypeError if they are not all of one organization.
 */
export function composed<Answer>(plans: readonly Plan<Answer>[]): Plan<readonly Answer[]> {
  const organization = plans[0]?.organization ?? "";
  if (plans.some((plan) => plan.organization !== organization)) {
    throw new TypeError("plans of several organizations cannot share a commit");
  }
  return {
    organization,
    reads: [...new Set(plans.flatMap(({ reads }) => reads))],
    *decide(state) {
      const changes: Change[] = [];
      const detached: Detachment[] = [];
      const answers: Answer[] = [];
      let current = state;
      for (const plan of plans) {
        const decision = yield* steps(plan.decide(current));
        changes.push(...decision.changes);
        detached.push(...heldBy(state, decision.detached));
        answers.push(decision.answer);
        const step = { revision: state.revision, organization, changes: decision.changes };
        current = apply(current, step, yield* steps(prepare(current, step)));
      }
      return { changes: netChanges(state, changes), detached, answer: answers };
    },
  };
}

/** The detachments of attachments that a state holds, with their positions in it. */
function heldBy(state: State, detached: readonly Detachment[]): Detachment[] {
  return detached.flatMap(({ target, attachment }) => {
    const held = findAttachments(state, target)?.message.extension ?? [];
    const position = held.indexOf(attachment);
    return position < 0 ? [] : [{ target, position, attachment }];
  });
}

function* steps<Result>(work: Iterator<void, Result>): Generator<void, Result> {
  for (;;) {
    const step = work.next();
    if (step.done === true) {
      return step.value;
    }
    yield;
  }
}

/** The last change of each object, without deletions of objects that did not exist before. */
function netChanges(state: State, changes: readonly Change[]): Change[] {
  const last = new Map(changes.map((change) => [`${isOfExtension(change)} ${change.fqn}`, change]));
  const net = [...last.values()].filter((change) => {
    switch (change.kind) {
      case "delete-extension":
        return findExtension(state, change.fqn) !== undefined;
      case "delete-attachments":
        return findAttachments(state, change.fqn) !== undefined;
      default:
        return true;
    }
  });
  return [...net.filter(isOfExtension), ...net.filter((change) => !isOfExtension(change))];
}
