import { expect, test } from "vitest";
import { createTurns, inTurns } from "../../../src/catalog/state/turns.ts";
import { createQueues } from "../../../src/journal/queues.ts";

/** Time that passes with work alone. */
function createClock() {
  let time = 0;
  const now = (): number => time;
  /** Work of so many steps of 1 ms each. */
  const work = (steps: number) => stepsOf(steps, () => time++);
  return { now, work };
}

function* stepsOf(count: number, step: () => void) {
  for (let done = 0; done < count; done++) {
    step();
    yield;
  }
  return count;
}

/** Measures the most work that a round of the event loop waits for. */
function watchRounds(now: () => number) {
  let [last, longest] = [now(), 0];
  let isOver = false;
  const look = (): void => {
    longest = Math.max(longest, now() - last);
    last = now();
    if (!isOver) {
      setImmediate(look);
    }
  };
  setImmediate(look);
  return () => {
    isOver = true;
    longest = Math.max(longest, now() - last);
    return longest;
  };
}

test("long work gives turns back", async () => {
  const { now, work } = createClock();
  const observed = watchRounds(now);
  expect(await inTurns(work(1_000), createTurns(now))).toBe(1_000);
  expect(observed()).toBeLessThanOrEqual(20);
});

test("many short pieces of work share a turn, whether at once or one after the other", async () => {
  const { now, work } = createClock();
  const turns = createTurns(now);
  const queues = createQueues();
  for (const key of ["the same", undefined]) {
    const observed = watchRounds(now);
    await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        queues.run(key ?? String(index), () => inTurns(work(3), turns)),
      ),
    );
    expect(observed()).toBeLessThanOrEqual(20);
  }
});

test("work that comes while others wait does not wait for them", async () => {
  const { now, work } = createClock();
  const turns = createTurns(now);
  const others = Promise.all(Array.from({ length: 50 }, () => inTurns(work(100), turns)));
  await new Promise((resolve) => setTimeout(resolve, 0));
  const before = now();
  expect(await inTurns(work(2), turns)).toBe(2);
  expect(now() - before).toBeLessThanOrEqual(20);
  await others;
});
