import { expect, test } from "vitest";
import { watchChain } from "../../../src/catalog/watch/chain-watch.ts";
import type { ResolvedChain } from "../../../src/catalog/watch/latest-chain.ts";
import type { Source } from "../../../src/catalog/watch/source.ts";
import { createAcme, ext, redSecurity } from "../../support/acme.ts";

const all = { mode: 0, port: 0 } as const;
const never = (): boolean => false;

/** The next chain; each but the first takes a turn of its own. */
function chainOf(watch: Source<ResolvedChain>): ResolvedChain {
  let read = watch.read(never);
  if (read === "more") {
    read = watch.read(never);
  }
  return typeof read === "string" ? expect.fail(`there is no chain: ${read}`) : read;
}

test("watchers of a chain share what is sent, and another question has its own answer", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redSecurity, [{ fqn: ext("a"), match: [{ ports: [{ number: 80 }] }] }]);
  const open = (port: number) => watchChain(catalog.reader, redSecurity, { ...all, port });
  const watches = [open(0), open(0), open(443), open(0)];
  for (const priority of [1, 2]) {
    const chains = watches.map((watch) => chainOf(watch));
    expect(chains[1]).toBe(chains[0]);
    expect(chains.map((resolved) => resolved.chain.links.length)).toEqual([1, 1, 0, 1]);
    expect(chains[0]?.chain.revision).toBe(catalog.reader.state.revision);
    await catalog.put("a", { priority });
    // What the traffic to another port passes has not changed.
    expect(watches[2]?.read(never)).toBe("caught-up");
    watches.splice(2, 1, open(443));
  }
});

test("a watch of a chain is silent about commits that leave it as it is", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redSecurity, [{ fqn: ext("a") }]);
  const watch = watchChain(catalog.reader, redSecurity, all);
  chainOf(watch);
  await catalog.put("a", { description: "says nothing of what runs" });
  expect(watch.read(never)).toBe("caught-up");
  await catalog.put("a", { priority: 1 });
  expect(chainOf(watch).chain).toMatchObject({ links: [{ priority: 1 }] });
});

test("a watch of a chain resolves nothing when its turn is over", () => {
  const { reader } = createAcme();
  const watch = watchChain(reader, redSecurity, all);
  expect(watch.read(() => true)).toBe("more");
  expect(chainOf(watch).chain.links).toEqual([]);
});
