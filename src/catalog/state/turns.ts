import { nextTick } from "node:process";
import { setImmediate as nextRound } from "node:timers/promises";

/** How long work goes on before it lets others run, in ms. */
const turnMs = 5;

/**
 * Divides long work into turns, so that network events and other long work run in between. All work in
 * one round of the event loop shares a turn, so that many small pieces take no longer than a large one.
 * Each round resumes one of those that wait for a turn.
 */
export interface Turns {
  /** Begins a turn, or shares the present one. Returns a function that tells whether it is over. */
  begin(): () => boolean;
  /** Resolves when the next turn begins. */
  next(): Promise<void>;
}

/** Creates an empty queue of turns. */
export function createTurns(now: () => number = () => performance.now()): Turns {
  let last = Promise.resolve();
  /** The end of the present turn; undefined between turns. */
  let endsAt: number | undefined;
  const endTurn = (): void => {
    endsAt = undefined;
  };
  return {
    begin() {
      if (endsAt === undefined) {
        endsAt = now() + turnMs;
        // Runs when all promises have been served, before the event loop goes on.
        nextTick(endTurn);
      }
      const end = endsAt;
      return () => now() >= end;
    },
    next() {
      last = last.then(() => nextRound()).then(endTurn);
      return last;
    },
  };
}

/** Runs a generator to its end without a pause. */
export function finished<Result>(work: Iterator<void, Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) {
      return step.value;
    }
  }
}

/**
 * Runs a generator to its end, in turns. Work that fits into the rest of the present turn is done before
 * this returns.
 *
 * Rejects with the reason of the signal if that is aborted.
 */
export async function inTurns<Result>(
  work: Iterator<void, Result>,
  turns: Turns,
  signal?: AbortSignal,
): Promise<Result> {
  for (let isOver = turns.begin(); ;) {
    if (isOver()) {
      await turns.next();
      signal?.throwIfAborted();
      isOver = turns.begin();
    }
    const step = work.next();
    if (step.done === true) {
      return step.value;
    }
  }
}
