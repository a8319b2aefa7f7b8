import { setImmediate } from "node:timers/promises";

/**
 * Lets calls through one by one, each in a round of the event loop of its own, so that many that come at
 * once keep nobody else waiting, and so that what one leaves unread is counted before the next begins.
 * Connections take turns.
 */
export interface Admission {
  /** Resolves when it is the turn of a call of a connection. */
  enter(connection: object): Promise<void>;
}

/** Creates an admission that nobody waits for. */
export function createAdmission(): Admission {
  /** Those who wait, by connection; the connection whose turn is next comes first. */
  const waiting = new Map<object, (() => void)[]>();
  let isRunning = false;

  async function run(): Promise<void> {
    isRunning = true;
    for (const [connection, calls] of waiting) {
      const admit = calls.shift();
      waiting.delete(connection);
      if (calls.length > 0) {
        // A map is walked in the order of insertion, so the others come first.
        waiting.set(connection, calls);
      }
      admit?.();
      await setImmediate();
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
