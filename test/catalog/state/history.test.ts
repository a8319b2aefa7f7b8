import { expect, test } from "vitest";
import { acme, createAcme, ext, redSecurity } from "../../support/acme.ts";

test("the history is bounded by what its commits hold in memory", async () => {
  const { put, reader } = createAcme({ store: { history: { maxWeight: 200_000 } } });
  for (let index = 0; index < 50; index++) {
    await put("a", { description: `${index} ${"x".repeat(10_000)}` });
    expect(reader.history.weight).toBeLessThanOrEqual(200_000);
  }
  expect(reader.history.length).toBeGreaterThan(5);
  expect(reader.history.length).toBeLessThan(10);
  expect(reader.history.oldest(acme)).toBe(51n - BigInt(reader.history.length));
});

test("a commit holds who could use what it replaced, and what went with it", async () => {
  const { reader, put, attach, remove } = createAcme();
  const weightOf = async (write: () => Promise<void>): Promise<number> => {
    const before = reader.history.weight;
    await write();
    return reader.history.weight - before;
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
  const { put, reader } = createAcme({ store: { history: { maxWeight: 10 } } });
  await put("a", { description: "x".repeat(1_000) });
  expect(reader.history.first(acme, 1n)).toMatchObject({ revision: 1n });
});

test("commits are kept for a time", async () => {
  let now = 0;
  const { put, reader } = createAcme({ store: { history: { maxAgeMs: 1_000 }, now: () => now } });
  await put("a");
  now = 1_000;
  await put("b");
  expect(reader.history.length).toBe(2);
  now = 1_001;
  await put("c");
  expect(reader.history.length).toBe(2);
  expect(reader.history.oldest(acme)).toBe(2n);
});

test("an organization that holds more than others loses its own oldest commits", async () => {
  const { put, extensions, reader } = createAcme({ store: { history: { maxCommits: 10 } } });
  await put("a");
  for (let index = 0; index < 50; index++) {
    await extensions.createWasmExtension({
      parent: "organizations/other",
      name: `e${index}`,
      wasmExtension: { url: "oci://x" },
    });
  }
  expect(reader.history.length).toBe(10);
  expect(reader.history.oldest(acme)).toBe(1n);
  expect(reader.history.oldest("organizations/other")).toBe(43n);
});

test("organizations that hold nothing, and of which no commit is kept, are forgotten", async () => {
  const { put, extensions, reader } = createAcme({ store: { history: { maxCommits: 3 } } });
  await put("a");
  for (let index = 0; index < 100; index++) {
    const parent = `organizations/o${index}`;
    const wasmExtension = { url: "oci://x" };
    const { fqn } = await extensions.createWasmExtension({ parent, name: "x", wasmExtension });
    await extensions.deleteWasmExtension({ fqn });
  }
  expect(reader.history.organizations).toBeLessThanOrEqual(4);
  // What is not known any more is missing, and said to be.
  expect(reader.history.oldest("organizations/o50")).toBeGreaterThan(100n);
  // One that holds something is not touched by that.
  expect(reader.history.oldest(acme)).toBe(2n);
});
