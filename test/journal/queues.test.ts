import { expect, test } from "vitest";
import { createQueues } from "../../src/journal/queues.ts";

test("work that is given up while it waits ends at once, is never begun, and lets nothing overtake", async () => {
  const queues = createQueues();
  const log: string[] = [];
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const controller = new AbortController();
  const first = queues.run("a", async () => {
    await promise;
    log.push("first");
  });
  const second = queues.run("a", () => Promise.resolve(log.push("second")), controller.signal);
  const third = queues.run("a", () => Promise.resolve(log.push("third")));
  const reason = new Error("given up");
  controller.abort(reason);
  // The first is still under way.
  await expect(second).rejects.toBe(reason);
  expect(log).toEqual([]);
  resolve(undefined);
  await Promise.all([first, third, queues.idle()]);
  expect(log).toEqual(["first", "third"]);
});

test("work that is given up before it comes is not begun", async () => {
  const queues = createQueues();
  const reason = new Error("given up");
  const work = () => Promise.reject(new Error("was begun"));
  await expect(queues.run("a", work, AbortSignal.abort(reason))).rejects.toBe(reason);
  await queues.idle();
});
