/*
 * A checker of linearizability: whether there is one order of the operations of a history that the model
 * allows, in which each takes effect between the time when it was sent and the time when it was answered.
 *
 * The search is Wing and Gong's, which tries every operation that may be next, with Lowe's memory: a set of
 * operations that led to a state is tried once. An operation whose outcome is unknown is never answered: it
 * takes effect at some time after it was sent, or not at all.
 */

/** An operation of a history. Times are of one clock. */
export interface Operation<Call> {
  /** What was asked, and what was answered. */
  readonly call: Call;
  readonly sentAt: number;
  /** Infinity if the outcome is unknown. */
  readonly answeredAt: number;
}

/** What operations do, one at a time. */
export interface SequentialModel<State, Call> {
  readonly initial: State;
  /** The state after a call; undefined if the call cannot have been answered so in this state. */
  next(state: State, call: Call): { readonly state: State } | undefined;
  /** Tells states apart. */
  keyOf(state: State): string;
}

/** What the checker found. */
export interface Verdict<Call> {
  readonly isLinearizable: boolean;
  /** The longest order that was found. */
  readonly order: readonly Operation<Call>[];
  /** If there is no order of all: the operation whose answer none explains. */
  readonly unexplained: Operation<Call> | undefined;
}

/** An end of an operation, in a list by time from which operations are lifted and put back. */
interface End<Call> {
  readonly operation: Operation<Call>;
  /** The operation's place in the order of sending. */
  readonly index: number;
  readonly isAnswer: boolean;
  /** Of the sending: the answer, if there is one. */
  answer: End<Call> | undefined;
  before: End<Call> | undefined;
  after: End<Call> | undefined;
}

const defaultMaxSteps = 20_000_000;

/**
 * Checks a history.
 *
 * Raises an error if the search takes too many steps, which says nothing about the history.
 */
export function checkLinearizable<State, Call>(
  model: SequentialModel<State, Call>,
  history: readonly Operation<Call>[],
  maxSteps = defaultMaxSteps,
): Verdict<Call> {
  const head = listOf(history);
  const tried = new Set<string>();
  const order: { readonly sending: End<Call>; readonly stateBefore: State }[] = [];
  const taken = createTaken();
  let longest: readonly Operation<Call>[] = [];
  let unexplained: Operation<Call> | undefined;
  let state = model.initial;
  let unanswered = history.filter(({ answeredAt }) => answeredAt !== Infinity).length;
  let end = head.after;
  for (let steps = 0; unanswered > 0; steps++) {
    if (steps > maxSteps) {
      throw new Error(`no verdict on ${history.length} operations within ${maxSteps} steps`);
    }
    if (end !== undefined && !end.isAnswer) {
      const next = model.next(state, end.operation.call);
      if (next !== undefined) {
        taken.add(end.index);
        const key = `${taken.key()} ${model.keyOf(next.state)}`;
        if (!tried.has(key)) {
          tried.add(key);
          order.push({ sending: end, stateBefore: state });
          ({ state } = next);
          unanswered -= end.answer === undefined ? 0 : 1;
          lift(end);
          end = head.after;
          continue;
        }
        taken.delete(end.index);
      }
      end = end.after;
      continue;
    }
    // Nothing can come before this answer, so the last choice was wrong.
    if (order.length >= longest.length) {
      longest = order.map(({ sending }) => sending.operation);
      unexplained = end?.operation;
    }
    const last = order.pop();
    if (last === undefined) {
      return { isLinearizable: false, order: longest, unexplained };
    }
    taken.delete(last.sending.index);
    state = last.stateBefore;
    unanswered += last.sending.answer === undefined ? 0 : 1;
    putBack(last.sending);
    end = last.sending.after;
  }
  const found = order.map(({ sending }) => sending.operation);
  return { isLinearizable: true, order: found, unexplained: undefined };
}

/** The ends of all operations by time; of those at one time, the sendings come first. */
function listOf<Call>(history: readonly Operation<Call>[]): End<Call> {
  const links = { answer: undefined, before: undefined, after: undefined };
  const ends = history
    .toSorted((a, b) => a.sentAt - b.sentAt)
    .flatMap((operation, index) => {
      const sending: End<Call> = { operation, index, isAnswer: false, ...links };
      if (operation.answeredAt === Infinity) {
        return [sending];
      }
      sending.answer = { operation, index, isAnswer: true, ...links };
      return [sending, sending.answer];
    })
    .toSorted((a, b) => timeOf(a) - timeOf(b) || Number(a.isAnswer) - Number(b.isAnswer));
  const operation = { call: undefined as Call, sentAt: -Infinity, answeredAt: -Infinity };
  const head: End<Call> = { operation, index: -1, isAnswer: false, ...links };
  let last = head;
  for (const end of ends) {
    end.before = last;
    last.after = end;
    last = end;
  }
  return head;
}

function timeOf<Call>({ operation, isAnswer }: End<Call>): number {
  return isAnswer ? operation.answeredAt : operation.sentAt;
}

function lift<Call>(sending: End<Call>): void {
  for (const end of [sending, sending.answer]) {
    if (end?.before !== undefined) {
      end.before.after = end.after;
    }
    if (end?.after !== undefined) {
      end.after.before = end.before;
    }
  }
}

function putBack<Call>(sending: End<Call>): void {
  for (const end of [sending.answer, sending]) {
    if (end?.before !== undefined) {
      end.before.after = end;
    }
    if (end?.after !== undefined) {
      end.after.before = end;
    }
  }
}

/**
 * A set of operations by index. Its key is the greatest one and those missing before it, which are few: they
 * were under way at the same time, or their outcome is unknown.
 */
function createTaken() {
  const taken: boolean[] = [];
  const missing = new Set<number>();
  return {
    add(index: number): void {
      for (let each = taken.length; each < index; each++) {
        taken.push(false);
        missing.add(each);
      }
      taken[index] = true;
      missing.delete(index);
    },
    delete(index: number): void {
      taken[index] = false;
      missing.add(index);
      while (taken.at(-1) === false) {
        taken.pop();
        missing.delete(taken.length);
      }
    },
    key: () => `${taken.length}-${[...missing].sort((a, b) => a - b).join(",")}`,
  };
}
