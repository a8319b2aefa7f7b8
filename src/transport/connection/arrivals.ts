import { createFairQueue } from "../fair-queue.ts";
import { isGone, type NodeResponse } from "../node-http.ts";

/** Requests that have begun and have not been handed over yet. */
export interface Arrivals {
  /** Hands a request over when it is the turn of its connection, unless it has been given up by then. */
  add(connection: object, response: NodeResponse, handOver: () => void): void;
}

/** How long requests are handed over before others run, in ms. */
const turnMs = 5;

/**
 * Hands requests over when all that has come with them has been read: many begin in one read of a connection,
 * and a client may give them up in the same one. Nothing is done for those. Connections take turns.
 *
 * @param now - milliseconds since any fixed time
 */
export function createArrivals(now: () => number): Arrivals {
  const waiting = createFairQueue<{ response: NodeResponse; handOver: () => void }>();
  let isScheduled = false;

  function schedule(): void {
    if (!isScheduled && !waiting.isEmpty) {
      isScheduled = true;
      setImmediate(takeTurn);
    }
  }

  function takeTurn(): void {
    const turnEnds = now() + turnMs;
    for (let next = waiting.next(); next !== undefined; next = waiting.next()) {
      if (!isGone(next.response)) {
        next.handOver();
      }
      if (now() >= turnEnds) {
        break;
      }
    }
    isScheduled = false;
    schedule();
  }

  return {
    add(connection, response, handOver) {
      waiting.add(connection, { response, handOver });
      schedule();
    },
  };
}
