import { nextTick } from "node:process";
import { createFairQueue } from "./fair-queue.ts";

/**
 * Admits calls to be read and handed over: one by one, with turns for other work in between, and only a few
 * at once. So a burst of calls does not keep others waiting, and what calls hold in memory while they are
 * read is bounded. Connections take turns.
 */
export interface Admission {
  /** Does the work of a call of a connection when it is its turn. */
  run<Result>(connection: object, work: () => Promise<Result>): Promise<Result>;
  /**
   * Tells whether short synchronous work may be done at once: no call waits for a turn, and other work has
   * run in the last few ms.
   */
  hasTime(): boolean;
}

/** How many calls are admitted at once. Each can hold a message several times over while it is read. */
const maxUnderWay = 8;

/** How long calls are admitted before other work runs, in ms. */
const turnMs = 5;

/**
 * Creates an admission without calls.
 *
 * @param now - milliseconds since any fixed time
 */
export function createAdmission(now: () => number): Admission {
  const waiting = createFairQueue<() => void>();
  let underWay = 0;
  let isScheduled = false;
  /** When other work has to run, if some has been done at once; undefined if it has run since. */
  let turnEnds: number | undefined;

  function schedule(): void {
    if (!isScheduled && underWay < maxUnderWay && !waiting.isEmpty) {
      isScheduled = true;
      setImmediate(() => {
        admitUntil(now() + turnMs);
      });
    }
  }

  function admitUntil(end: number): void {
    admitNext();
    whenPromisesAreServed(() => {
      if (underWay < maxUnderWay && !waiting.isEmpty && now() < end) {
        admitUntil(end);
      } else {
        isScheduled = false;
        schedule();
      }
    });
  }

  function admitNext(): void {
    underWay++;
    waiting.next()?.();
  }

  return {
    hasTime() {
      if (!waiting.isEmpty) {
        return false;
      }
      const at = now();
      if (turnEnds === undefined) {
        turnEnds = at + turnMs;
        setImmediate(() => {
          turnEnds = undefined;
        });
      }
      return at < turnEnds;
    },
    async run(connection, work) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      waiting.add(connection, () => {
        resolve(undefined);
      });
      schedule();
      await promise;
      try {
        return await work();
      } finally {
        underWay--;
        schedule();
      }
    },
  };
}

/**
 * Calls back when a call has done its synchronous work, so that the time that it took, and what it leaves
 * unread, are counted. Node serves ticks before promises, except ticks that a promise asks for.
 */
function whenPromisesAreServed(next: () => void): void {
  queueMicrotask(() => {
    nextTick(next);
  });
}
