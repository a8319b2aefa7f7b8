import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createGate } from "../../src/methods/gate.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Enters, and tells by a list that it is inside. */
function entering(gate: ReturnType<typeof createGate>, size: number, inside: number[]) {
  return gate.enter(size).then((leave) => {
    inside.push(size);
    return leave;
  });
}

test("as much enters as fits, in order, and what is too large enters alone", async () => {
  const gate = createGate(10);
  const inside: number[] = [];
  const leaves = [6, 3, 20, 1].map((size) => entering(gate, size, inside));
  await vi.advanceTimersByTimeAsync(0);
  expect(inside).toEqual([6, 3]);
  (await leaves[0])?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(inside).toEqual([6, 3]);
  const leave = await leaves[1];
  leave?.();
  leave?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(inside).toEqual([6, 3, 20]);
  (await leaves[2])?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(inside).toEqual([6, 3, 20, 1]);
});

test("one that stays for long does not hold up others", async () => {
  const gate = createGate(10);
  const inside: number[] = [];
  const [slow] = [10, 5].map((size) => entering(gate, size, inside));
  await vi.advanceTimersByTimeAsync(900);
  expect(inside).toEqual([10]);
  await vi.advanceTimersByTimeAsync(200);
  expect(inside).toEqual([10, 5]);
  (await slow)?.();
  void entering(gate, 6, inside);
  await vi.advanceTimersByTimeAsync(0);
  expect(inside).toEqual([10, 5]);
});
