import { nextTick } from "node:process";
import { setImmediate } from "node:timers/promises";

/** How long calls are let through before others run, in ms. */
const turnMs = 5;

/**
 * Lets calls through one by one, so that what one leaves unread is counted before the next begins, and
 * gives turns back, so that many that come at once keep nobody else waiting. Connections take turns.
 */
export interface Admission {
  /** Resolves when it is the turn of a call of a connection. */
  enter(connection: object): Promise<void>;
}

/**
 * Creates an admission that nobody waits for.
 *
 * @param now - milliseconds since any fixed time
 */
export function createAdmission(now: () => number): Admission {
  /** Those who wait, by connection; the connection whose turn is next comes first. */
  const waiting = new Map<object, (() => void)[]>();
  let isRunning = false;

  async function run(): Promise<void> {
    isRunning = true;
    let turnEnds = now() + turnMs;
    for (const [connection, calls] of waiting) {
      const admit = calls.shift();
      waiting.delete(connection);
      if (calls.length > 0) {
        // A map is walked in the order of insertion, so the others come first.
        waiting.set(connection, calls);
      }
      admit?.();
      await promisesServed();
      if (now() >= turnEnds) {
        await setImmediate();
        turnEnds = now() + turnMs;
      }
    }
    isRunning = false;
  }

  return {
    enter(connection) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const admit = (): void => {
        resolve(undefined);
      };
      const calls = waiting.get(connection);
      if (calls === undefined) {
        waiting.set(connection, [admit]);
      } else {
        calls.push(admit);
      }
      if (!isRunning) {
        void run();
      }
      return promise;
    },
  };
}

/** Resolves when a call has done what it does without waiting for the network. */
function promisesServed(): Promise<void> {
  return new Promise((resolve) => {
    nextTick(resolve);
  });
}
