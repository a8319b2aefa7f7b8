import { nextTick } from "node:process";
import { setImmediate as nextRound } from "node:timers/promises";

/** How long work goes on before it lets others run, in ms. */
const turnMs = 5;

/**
 * Lets long work give turns back: to what waits for the network, and to other long work. What runs
 * before the event loop goes on shares a turn, so that many small pieces take no longer than a large one.
 * Of those that wait for a turn, one goes on a round of the event loop.
 */
export interface Turns {
  /** Begins a turn, or joins the one that goes on. Returns what tells whether it is over. */
  begin(): () => boolean;
  /** Resolves when the next turn begins. */
  next(): Promise<void>;
  /** Resolves at once unless the turn that goes on is over, else when the next begins. */
  ready(): Promise<void>;
}

/** Creates turns that nobody waits for. */
export function createTurns(now: () => number = () => performance.now()): Turns {
  let last = Promise.resolve();
  /** When the turn that goes on is over; undefined if none does. */
  let endsAt: number | undefined;
  const endTurn = (): void => {
    endsAt = undefined;
  };
  const turns: Turns = {
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
    async ready() {
      if (turns.begin()()) {
        await turns.next();
      }
    },
  };
  return turns;
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
 * Runs work that yields to its end, and gives turns back in between. Work that fits into what is left of
 * a turn is done before this returns.
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
