import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createAdmission } from "../../src/transport/admission.ts";

/** Lets four calls of two connections in, each of which takes some ms; returns them by round. */
async function roundsOf(callMs: number): Promise<string[][]> {
  let nowMs = 0;
  const admission = createAdmission(() => nowMs);
  const [a, b] = [{}, {}];
  const rounds: string[][] = [[]];
  const enter = async (name: string, connection: object): Promise<void> => {
    await admission.enter(connection);
    rounds.at(-1)?.push(name);
    nowMs += callMs;
  };
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
  expect(await roundsOf(0)).toEqual([["a1", "a2", "b1", "a3"]]);
});

test("others run after some ms of calls", async () => {
  expect(await roundsOf(3)).toEqual([
    ["a1", "a2"],
    ["b1", "a3"],
  ]);
  expect(await roundsOf(20)).toEqual([["a1"], ["a2"], ["b1"], ["a3"]]);
});
