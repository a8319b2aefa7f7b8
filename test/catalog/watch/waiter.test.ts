import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createNotifier } from "../../../src/catalog/state/notifier.ts";
import { createWaiter } from "../../../src/catalog/watch/waiter.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test("a change between two waits ends the second at once", async () => {
  const notifier = createNotifier();
  const waiter = createWaiter(
    (notify) => notifier.subscribe("k", notify),
    new AbortController().signal,
  );
  notifier.notify("k");
  await waiter.wait();
  const second = waiter.wait();
  notifier.notify("k");
  await second;
  waiter.leave();
  expect(notifier.size).toBe(0);
});

test("many waits share one timer and one listener, and a wait ends in time", async () => {
  const notifier = createNotifier();
  const { signal } = new AbortController();
  const listen = vi.spyOn(signal, "addEventListener");
  const waiter = createWaiter((notify) => notifier.subscribe("k", notify), signal);
  for (let round = 0; round < 100; round++) {
    const woken = waiter.wait(1_000);
    notifier.notify("k");
    await woken;
  }
  expect(vi.getTimerCount()).toBe(1);
  expect(listen).toHaveBeenCalledTimes(1);
  const last = waiter.wait(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  await last;
  expect(vi.getTimerCount()).toBe(0);
});

test("an abort ends the wait, the subscription and the timer", async () => {
  const notifier = createNotifier();
  const controller = new AbortController();
  const waiter = createWaiter((notify) => notifier.subscribe("k", notify), controller.signal);
  const waiting = waiter.wait(1_000);
  controller.abort();
  await waiting;
  await waiter.wait();
  expect([notifier.size, vi.getTimerCount()]).toEqual([0, 0]);
  createWaiter((notify) => notifier.subscribe("k", notify), controller.signal);
  expect(notifier.size).toBe(0);
});
