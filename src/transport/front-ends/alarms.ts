import { maxDelayMs } from "../../catalog/max-delay.ts";
import { SortedMap } from "../../catalog/state/sorted-map.ts";

/** Something that is woken at a time. It waits for one time at most. */
export interface Sleeper {
  /** When it is to be woken; undefined while it does not wait. Only `Alarms` sets it. */
  alarm: Alarm | undefined;
}

/** A time, which a number tells apart from others that are the same. */
export interface Alarm {
  readonly at: number;
  readonly id: number;
}

/** Wakes any number of sleepers, with one timer for all of them. */
export interface Alarms<Of extends Sleeper> {
  /** Wakes a sleeper at a time, unless it is woken earlier anyway; never if it is Infinity. */
  set(sleeper: Of, at: number): void;
  /** Does not wake a sleeper any more. */
  clear(sleeper: Of): void;
}

/**
 * Creates alarms that wake nobody yet.
 *
 * @param now - milliseconds since any fixed time
 * @param wake - is called with each sleeper when it is time
 */
export function createAlarms<Of extends Sleeper>(
  now: () => number,
  wake: (sleeper: Of) => void,
): Alarms<Of> {
  const sleepers = new SortedMap<Alarm, Of>(undefined, (a, b) => a.at - b.at || a.id - b.id);
  let lastId = 0;
  let timer: NodeJS.Timeout | undefined;
  /** When the timer fires. */
  let firesAt = Infinity;

  const clear = (sleeper: Of): void => {
    if (sleeper.alarm !== undefined) {
      sleepers.delete(sleeper.alarm);
      sleeper.alarm = undefined;
    }
  };

  const ring = (): void => {
    firesAt = Infinity;
    const at = now();
    for (let next = sleepers.minKey(); next !== undefined; next = sleepers.minKey()) {
      if (next.at > at) {
        wait(next.at);
        return;
      }
      const sleeper = sleepers.get(next);
      sleepers.delete(next);
      if (sleeper !== undefined) {
        sleeper.alarm = undefined;
        wake(sleeper);
      }
    }
  };

  const wait = (until: number): void => {
    if (until < firesAt) {
      clearTimeout(timer);
      firesAt = until;
      const delayMs = Math.min(Math.max(Math.ceil(until - now()), 0), maxDelayMs);
      timer = setTimeout(ring, delayMs).unref();
    }
  };

  return {
    set(sleeper, at) {
      if (at === Infinity || (sleeper.alarm !== undefined && sleeper.alarm.at <= at)) {
        return;
      }
      clear(sleeper);
      sleeper.alarm = { at, id: ++lastId };
      sleepers.set(sleeper.alarm, sleeper);
      wait(at);
    },
    clear,
  };
}
