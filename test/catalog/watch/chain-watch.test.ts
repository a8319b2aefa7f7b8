import { expect, test } from "vitest";
import { watchChain } from "../../../src/catalog/watch/chain-watch.ts";
import { createAcme, ext, redSecurity } from "../../support/acme.ts";

const all = { mode: 0, port: 0 } as const;

test("watchers of a chain share what is sent, and another question has its own answer", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redSecurity, [{ fqn: ext("a"), match: [{ ports: [{ number: 80 }] }] }]);
  const controller = new AbortController();
  const open = (port: number) =>
    watchChain(catalog.reader, redSecurity, { ...all, port }, controller.signal);
  const watches = [open(0), open(0), open(443), open(0)];
  const next = async () => {
    const results = await Promise.all(watches.map((watch) => watch.next()));
    return results.map(({ value }) => value ?? undefined);
  };
  for (const priority of [1, 2]) {
    const chains = await next();
    expect(chains[1]).toBe(chains[0]);
    expect(chains.map((resolved) => resolved?.chain.links.length)).toEqual([1, 1, 0, 1]);
    expect(chains[0]?.chain.revision).toBe(catalog.reader.state.revision);
    await catalog.put("a", { priority });
    // What the traffic to another port passes has not changed.
    watches.splice(2, 1, open(443));
  }
  controller.abort();
});

test("a watch of a chain is silent about commits that leave it as it is", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redSecurity, [{ fqn: ext("a") }]);
  const controller = new AbortController();
  const watch = watchChain(catalog.reader, redSecurity, all, controller.signal);
  await watch.next();
  const next = watch.next();
  await catalog.put("a", { description: "says nothing of what runs" });
  await new Promise((resolve) => setImmediate(resolve));
  await catalog.put("a", { priority: 1 });
  expect((await next).value).toMatchObject({ chain: { links: [{ priority: 1 }] } });
  controller.abort();
});
