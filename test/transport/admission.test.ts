import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createAdmission } from "../../src/transport/admission.ts";

test("calls go one by one, each in a round of the event loop, and connections take turns", async () => {
  const admission = createAdmission();
  const [a, b] = [{}, {}];
  const rounds: string[][] = [[]];
  const enter = (name: string, connection: object): Promise<void> =>
    admission.enter(connection).then(() => void rounds.at(-1)?.push(name));
  // Begins first, so that each round is noted before anyone is let through in it.
  const noted = (async () => {
    for (let round = 1; round <= 6; round++) {
      await setImmediate();
      rounds.push([]);
    }
  })();
  await Promise.all([enter("a1", a), enter("a2", a), enter("a3", a), enter("b1", b)]);
  await noted;
  expect(rounds.filter(({ length }) => length > 0)).toEqual([["a1"], ["a2"], ["b1"], ["a3"]]);
});
