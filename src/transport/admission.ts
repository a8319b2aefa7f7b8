import { nextTick } from "node:process";
import { createFairQueue } from "./fair-queue.ts";

/**
 * Lets calls through to be read and handed over: one by one, with turns given back in between, and no more
 * than a few at once, so that many that come together keep nobody else waiting, and what they hold in
 * memory while they are read is bounded. Connections take turns.
 */
export interface Admission {
  /** Does the work of a call of a connection when it is its turn. */
  run<Result>(connection: object, work: () => Promise<Result>): Promise<Result>;
}

/** How many are let through at once. Each can hold a message several times over while it is read. */
const maxUnderWay = 8;

/** How long calls are let through before others run, in ms. */
const turnMs = 5;

/**
 * Creates an admission that nobody waits for.
 *
 * @param now - milliseconds since any fixed time
 */
export function createAdmission(now: () => number): Admission {
  const waiting = createFairQueue<() => void>();
  let underWay = 0;
  let isScheduled = false;

  function schedule(): void {
    if (!isScheduled && underWay < maxUnderWay && !waiting.isEmpty) {
      isScheduled = true;
      setImmediate(() => {
        admitUntil(now() + turnMs);
      });
    }
  }

  function admitUntil(turnEnds: number): void {
    admitNext();
    whenPromisesAreServed(() => {
      if (underWay < maxUnderWay && !waiting.isEmpty && now() < turnEnds) {
        admitUntil(turnEnds);
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
 * Goes on when a call has done what it does without waiting, so that the time that it took, and what it
 * leaves unread, are counted. Node serves ticks before promises, but for those that a promise asks for.
 */
function whenPromisesAreServed(next: () => void): void {
  queueMicrotask(() => {
    nextTick(next);
  });
}
