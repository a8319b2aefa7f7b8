import { expect, test } from "vitest";
import { createStore } from "../../../src/catalog/store.ts";
import { acme, createAcme, ext, redSecurity } from "../../support/acme.ts";

test("the history is bounded by what its commits hold in memory", async () => {
  const store = createStore({ history: { maxWeight: 200_000 } });
  const { put } = createAcme({ store });
  for (let index = 0; index < 50; index++) {
    await put("a", { description: `${index} ${"x".repeat(10_000)}` });
    expect(store.history.weight).toBeLessThanOrEqual(200_000);
  }
  expect(store.history.length).toBeGreaterThan(5);
  expect(store.history.length).toBeLessThan(10);
  expect(store.history.oldest(acme)).toBe(51n - BigInt(store.history.length));
});

test("a commit holds who could use what it replaced, and what went with it", async () => {
  const { store, put, attach, remove } = createAcme();
  const weightOf = async (write: () => Promise<void>): Promise<number> => {
    const before = store.history.weight;
    await write();
    return store.history.weight - before;
  };
  const allowedIn = Array.from({ length: 500 }, (_, index) => `${acme}/tenants/t${index}`);
  await put("a", { allowedIn });
  expect(await weightOf(() => remove("a"))).toBeGreaterThan(500 * 32);
  await put("b");
  const list = Array.from({ length: 500 }, () => ({}));
  await attach(redSecurity, [{ fqn: ext("b"), config: { list } }]);
  expect(await weightOf(() => remove("b"))).toBeGreaterThan(500 * 64);
});

test("the latest commit is kept however large it is", async () => {
  const store = createStore({ history: { maxWeight: 10 } });
  const { put } = createAcme({ store });
  await put("a", { description: "x".repeat(1_000) });
  expect(store.history.first(acme, 1n)).toMatchObject({ revision: 1n });
});

test("commits are kept for a time", async () => {
  let now = 0;
  const store = createStore({ history: { maxAgeMs: 1_000 }, now: () => now });
  const { put } = createAcme({ store });
  await put("a");
  now = 1_000;
  await put("b");
  expect(store.history.length).toBe(2);
  now = 1_001;
  await put("c");
  expect(store.history.length).toBe(2);
  expect(store.history.oldest(acme)).toBe(2n);
});

test("an organization that holds more than others loses its own oldest commits", async () => {
  const store = createStore({ history: { maxCommits: 10 } });
  const { put, extensions } = createAcme({ store });
  await put("a");
  for (let index = 0; index < 50; index++) {
    await extensions.createWasmExtension({
      parent: "organizations/other",
      name: `e${index}`,
      wasmExtension: { url: "oci://x" },
    });
  }
  expect(store.history.length).toBe(10);
  expect(store.history.oldest(acme)).toBe(1n);
  expect(store.history.oldest("organizations/other")).toBe(43n);
});

test("organizations that hold nothing, and of which no commit is kept, are forgotten", async () => {
  const store = createStore({ history: { maxCommits: 3 } });
  const { put, extensions } = createAcme({ store });
  await put("a");
  for (let index = 0; index < 100; index++) {
    const parent = `organizations/o${index}`;
    const wasmExtension = { url: "oci://x" };
    const { fqn } = await extensions.createWasmExtension({ parent, name: "x", wasmExtension });
    await extensions.deleteWasmExtension({ fqn });
  }
  expect(store.history.organizations).toBeLessThanOrEqual(4);
  // What is not known any more is missing, and said to be.
  expect(store.history.oldest("organizations/o50")).toBeGreaterThan(100n);
  // One that holds something is not touched by that.
  expect(store.history.oldest(acme)).toBe(2n);
});
