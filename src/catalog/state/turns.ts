import { setImmediate } from "node:timers/promises";

/** How long work goes on before it lets others run, in ms. */
const turnMs = 5;

/**
 * Divides long work into turns, so that network events and other long work run in between. Each round of
 * the event loop runs one turn of one piece of work.
 */
export interface Turns {
  /** Begins a turn. Returns a function that tells whether it is over. */
  begin(): () => boolean;
  /** Resolves when the next turn begins. */
  next(): Promise<void>;
}

/** Creates an empty queue of turns. */
export function createTurns(now: () => number = () => performance.now()): Turns {
  let last = Promise.resolve();
  return {
    begin() {
      const endsAt = now() + turnMs;
      return () => now() >= endsAt;
    },
    next() {
      last = last.then(() => setImmediate());
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
 * Runs a generator to its end, in turns. Work that fits into one turn is done before this returns.
 *
 * Rejects with the reason of the signal if that is aborted.
 */
export async function inTurns<Result>(
  work: Iterator<void, Result>,
  turns: Turns,
  signal?: AbortSignal,
): Promise<Result> {
  let isOver = turns.begin();
  for (;;) {
    const step = work.next();
    if (step.done === true) {
      return step.value;
    }
    if (isOver()) {
      await turns.next();
      signal?.throwIfAborted();
      isOver = turns.begin();
    }
  }
}
