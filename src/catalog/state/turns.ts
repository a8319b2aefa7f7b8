import { setImmediate } from "node:timers/promises";

/** How long work goes on before it lets others run, in ms. */
const turnMs = 5;

/**
 * Lets long work give turns back: to what waits for the network, and to other long work. One piece of
 * work goes on a round of the event loop, however many there are.
 */
export interface Turns {
  /** Begins a turn. Returns what tells whether it is over. */
  begin(): () => boolean;
  /** Resolves when the next turn begins. */
  next(): Promise<void>;
}

/** Creates turns that nobody waits for. */
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

/** Runs work that yields to its end without a pause. */
export function finished<Result>(work: Iterator<void, Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) {
      return step.value;
    }
  }
}

/**
 * Runs work that yields to its end, and gives turns back in between. Work that fits into a turn is
 * done before this returns.
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
