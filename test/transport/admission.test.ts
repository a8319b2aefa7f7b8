import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createAdmission } from "../../src/transport/admission.ts";

/** Lets four calls of two connections in, each of which takes some ms; returns them by round. */
async function roundsOf(callMs: number): Promise<string[][]> {
  let nowMs = 0;
  const admission = createAdmission(() => nowMs);
  const [a, b] = [{}, {}];
  const rounds: string[][] = [[]];
  const enter = (name: string, connection: object): Promise<void> =>
    admission.run(connection, () => {
      rounds.at(-1)?.push(name);
      nowMs += callMs;
      return Promise.resolve();
    });
  // Begins first, so that each round is noted before anyone is let through in it.
  const noted = (async () => {
    for (let round = 1; round <= 6; round++) {
      await setImmediate();
      rounds.push([]);
    }
  })();
  await Promise.all([enter("a1", a), enter("a2", a), enter("a3", a), enter("b1", b)]);
  await noted;
  return rounds.filter(({ length }) => length > 0);
}

test("calls go one by one, and connections take turns", async () => {
  expect(await roundsOf(0)).toEqual([["a1", "b1", "a2", "a3"]]);
});

test("others run after some ms of calls", async () => {
  expect(await roundsOf(3)).toEqual([
    ["a1", "b1"],
    ["a2", "a3"],
  ]);
  expect(await roundsOf(20)).toEqual([["a1"], ["b1"], ["a2"], ["a3"]]);
});

test("a few are let through at once, and the next when one of them is done, or has failed", async () => {
  const admission = createAdmission(() => performance.now());
  const [a, b] = [{}, {}];
  const stuck = Array.from({ length: 8 }, () => Promise.withResolvers<undefined>());
  const large = Promise.allSettled(stuck.map(({ promise }) => admission.run(a, () => promise)));
  let hasPassed = false;
  const small = admission.run(b, () => Promise.resolve()).then(() => (hasPassed = true));
  for (let round = 1; round <= 20; round++) {
    await setImmediate();
  }
  // The turn of the other connection comes after the first call of this one.
  expect(hasPassed).toBe(true);
  await small;
  hasPassed = false;
  const next = admission.run(b, () => Promise.resolve()).then(() => (hasPassed = true));
  for (let round = 1; round <= 20; round++) {
    await setImmediate();
  }
  expect(hasPassed).toBe(false);
  stuck[0]?.reject(new Error("damaged"));
  await next;
  stuck.forEach(({ resolve }) => {
    resolve(undefined);
  });
  const outcomes = await large;
  expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(1);
});
