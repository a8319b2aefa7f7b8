import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createWantedChains } from "../../src/xds/wanted-chains.ts";
import { type Acme, createAcme, ext, redIngress } from "../support/acme.ts";
import { createFakeModules, type FakeModules } from "../support/fake-modules.ts";

let catalog: Acme;
let modules: FakeModules;

beforeEach(() => {
  vi.useFakeTimers();
  catalog = createAcme();
  modules = createFakeModules();
});
afterEach(() => {
  vi.useRealTimers();
});

const follow = () => {
  const changed = vi.fn();
  const onModuleFailure = new Map();
  const chains = createWantedChains({ reader: catalog.reader, modules, onModuleFailure });
  return { changed, chain: chains.follow(redIngress, changed) };
};

/** Attaches one more extension, whose module does not arrive. */
async function attachSlow(count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `e${index}`);
  const last = `e${count - 1}`;
  modules.set(`oci://x/${last}:1`, { kind: "fetching" });
  await catalog.put(last, { url: `oci://x/${last}:1` });
  await catalog.attach(
    redIngress,
    names.map((name) => ({ fqn: ext(name) })),
  );
}

test("a change waits for its modules for a moment, however many changes come meanwhile", async () => {
  const { changed, chain } = follow();
  const waits: boolean[] = [];
  for (let count = 1; count <= 8; count++) {
    await attachSlow(count);
    waits.push(chain.current.isSettling);
    changed.mockClear();
    vi.advanceTimersByTime(100);
  }
  // 300 ms from the first change that waits, and then from the first one after that.
  expect(waits).toEqual([true, true, true, false, true, true, true, false]);
  chain.stop();
  expect(modules.followers).toBe(0);
});

test("a chain that waits has changed when the moment is over", async () => {
  const { changed, chain } = follow();
  await attachSlow(1);
  expect(chain.current.isSettling).toBe(true);
  changed.mockClear();
  vi.advanceTimersByTime(301);
  expect(changed).toHaveBeenCalled();
  expect(chain.current).toMatchObject({ isSettling: false, links: [{ plugin: "fetching" }] });
  chain.stop();
});

test("a chain that cannot be resolved stays as it was, and says so until it can be", async () => {
  const { chain } = follow();
  const big = { text: "x".repeat(2 * 1024 * 1024) };
  await catalog.put("a", { config: big });
  await catalog.attach(redIngress, [{ fqn: ext("a") }]);
  expect(chain.current.links).toHaveLength(1);
  await catalog.attach(
    redIngress,
    Array.from({ length: 9 }, () => ({ fqn: ext("a") })),
  );
  expect(chain.current.problem).toContain("16");
  // A module that changes says nothing of the chain.
  modules.set("oci://ghcr.io/acme/x:1.0", Buffer.from("another"));
  expect(chain.current.links).toHaveLength(1);
  expect(chain.current.problem).toContain("16");
  await catalog.attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("a") }]);
  expect(chain.current).toMatchObject({ problem: undefined, links: { length: 2 } });
  chain.stop();
});
