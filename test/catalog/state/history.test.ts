import fc from "fast-check";
import { expect, test } from "vitest";
import { createHistory } from "../../../src/catalog/state/history.ts";
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

test("of many organizations, what is kept is what the bounds say", () => {
  const organizations = ["organizations/a", "organizations/b", "organizations/c"];
  const anyCommit = fc.record({
    organization: fc.constantFrom(...organizations),
    passesMs: fc.nat(40),
    size: fc.constantFrom(1, 1, 5),
  });
  fc.assert(
    fc.property(fc.array(anyCommit, { maxLength: 60 }), (commits) => {
      let now = 0;
      const history = createHistory({ maxCommits: 8, maxWeight: 1e9, maxAgeMs: 100 }, () => now);
      let kept: { organization: string; revision: bigint; at: number; weight: number }[] = [];
      for (const [index, { organization, passesMs, size }] of commits.entries()) {
        now += passesMs;
        const revision = BigInt(index + 1);
        const fqn = `${organization}/extensions/${"e".repeat(size * 100)}`;
        const changes = [{ kind: "delete-extension" as const, fqn }];
        const metadata = { time: 0, author: "", reason: "", detached: [] };
        history.record({ revision, organization, changes, metadata }, new Map());
        const weight = history.first(organization, revision)?.weight ?? 0;
        kept.push({ organization, revision, at: now, weight });
        kept = kept.filter(({ at }) => at >= now - 100);
        const of = (name: string) => kept.filter((each) => each.organization === name);
        const weightOf = (name: string) => of(name).reduce((sum, { weight }) => sum + weight, 0);
        while (kept.length > 8) {
          const largest = organizations
            .filter((name) => of(name).some((each) => each.revision !== revision))
            .sort((a, b) => weightOf(b) - weightOf(a) || (a < b ? 1 : -1))[0];
          kept = kept.filter((each) => each !== of(largest ?? "")[0]);
        }
        expect(history.length).toBe(kept.length);
        expect(history.weight).toBe(kept.reduce((sum, { weight }) => sum + weight, 0));
        for (const name of organizations) {
          for (let from = 0n; from <= revision + 1n; from++) {
            const first = of(name).find((each) => each.revision >= from);
            expect(history.first(name, from)?.revision).toBe(first?.revision);
          }
        }
      }
    }),
  );
});
