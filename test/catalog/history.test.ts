import { expect, test } from "vitest";
import { createStore } from "../../src/catalog/store.ts";
import { acme, createAcme } from "../support/acme.ts";

test("the size of the history is bounded by the bytes of its commits", async () => {
  const store = createStore({ maxCommits: 1_000, maxBytes: 100_000 });
  const { put } = createAcme({ store });
  for (let index = 0; index < 50; index++) {
    await put("a", { description: `${index} ${"x".repeat(10_000)}` });
    expect(store.history.bytes).toBeLessThanOrEqual(100_000);
  }
  expect(store.history.length).toBeGreaterThan(5);
  expect(store.history.length).toBeLessThan(10);
  expect(store.history.oldest(acme)).toBe(51n - BigInt(store.history.length));
});

test("the latest commit is kept however large it is", async () => {
  const store = createStore({ maxCommits: 1_000, maxBytes: 10 });
  const { put } = createAcme({ store });
  await put("a", { description: "x".repeat(1_000) });
  expect(store.history.first(acme, 1n)).toMatchObject({ revision: 1n });
});
