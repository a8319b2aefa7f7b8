import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createAlarms, type Sleeper } from "../../src/transport/front-ends/alarms.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

interface Named extends Sleeper {
  readonly name: number;
}

function createSleepers(count: number) {
  const woken: [number, number][] = [];
  const alarms = createAlarms<Named>(Date.now, ({ name }) => woken.push([name, Date.now()]));
  const sleepers = Array.from({ length: count }, (_, name): Named => ({ name, alarm: undefined }));
  return { alarms, sleepers, woken };
}

test("many sleepers are woken in time by one timer", () => {
  const { alarms, sleepers, woken } = createSleepers(1_000);
  const start = Date.now();
  for (const sleeper of sleepers) {
    alarms.set(sleeper, start + 1_000 - (sleeper.name % 10));
  }
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(990);
  expect(woken).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(woken.map(([name]) => name)).toEqual(Array.from({ length: 100 }, (_, at) => 10 * at + 9));
  vi.advanceTimersByTime(9);
  expect(woken.length).toBe(1_000);
  expect(vi.getTimerCount()).toBe(0);
});

test("a time that no timer can wait for is waited for all the same", () => {
  const { alarms, sleepers, woken } = createSleepers(1);
  const [sleeper] = sleepers;
  const month = 31 * 24 * 3_600_000;
  if (sleeper !== undefined) {
    alarms.set(sleeper, Date.now() + month);
    alarms.set(sleeper, Infinity);
  }
  vi.advanceTimersByTime(month - 1);
  expect(woken).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(woken.length).toBe(1);
});

test("each is woken at the earliest of its times, and not when that is taken back", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), of: fc.nat(4), inMs: fc.nat(50) }),
    fc.record({ kind: fc.constant("clear" as const), of: fc.nat(4) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(30) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { alarms, sleepers, woken } = createSleepers(5);
      const expected: [number, number][] = [];
      const due = new Map<number, number>();
      const pass = (ms: number): void => {
        const until = Date.now() + ms;
        for (const [name, at] of due) {
          if (at <= until) {
            expected.push([name, at]);
            due.delete(name);
          }
        }
        vi.advanceTimersByTime(ms);
      };
      for (const each of steps) {
        const sleeper = each.kind === "wait" ? undefined : sleepers[each.of];
        if (each.kind === "wait") {
          pass(each.ms);
        } else if (sleeper !== undefined && each.kind === "set") {
          // What is due at once is woken when the timers have their turn.
          const at = Date.now() + 1 + each.inMs;
          due.set(each.of, Math.min(at, due.get(each.of) ?? Infinity));
          alarms.set(sleeper, at);
        } else if (sleeper !== undefined) {
          due.delete(each.of);
          alarms.clear(sleeper);
        }
      }
      pass(100);
      const sorted = (all: [number, number][]) =>
        all.toSorted(([a, atA], [b, atB]) => atA - atB || a - b);
      expect(sorted(woken)).toEqual(sorted(expected));
    }),
  );
});
