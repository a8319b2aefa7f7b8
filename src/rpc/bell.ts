import type { Watchers } from "../catalog/watchers.ts";

/** Lets a stream sleep until something has happened. */
export interface Bell {
  /** Says that something has happened. */
  readonly ring: () => void;
  /**
   * Resolves when the bell has rung since the last call, when the signal is aborted, or when the time
   * is over, whichever comes first.
   */
  heard(signal: AbortSignal, timeoutMs: number): Promise<void>;
}

/** Creates a bell that has not rung. */
export function createBell(): Bell {
  let hasRung = false;
  let wake: () => void = () => undefined;
  return {
    ring: () => {
      hasRung = true;
      wake();
    },
    async heard(signal, timeoutMs) {
      if (!hasRung && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<undefined>();
        wake = () => {
          resolve(undefined);
        };
        signal.addEventListener("abort", wake, { once: true });
        const timer = timeoutMs === Infinity ? undefined : setTimeout(wake, timeoutMs);
        await promise;
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
      }
      hasRung = false;
    },
  };
}

/**
 * Rings a bell at each change of a key, until the call is over. A stream may be over without its
 * generator being told: one that waits for a slow reader is not asked again when the reader goes.
 */
export function ringOnChange(
  watchers: Watchers,
  key: string,
  bell: Bell,
  signal: AbortSignal,
): () => void {
  const leave = watchers.join(key, bell.ring);
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) {
    leave();
  }
  return leave;
}
