import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { WatchChainResponseSchema } from "../../../gen/wasmext/v1/chain_service_pb.ts";
import { watchChain } from "../../../src/catalog/watch/chain-watch.ts";
import { createLatestChain } from "../../../src/catalog/watch/latest-chain.ts";
import { createAcme, ext, redSecurity } from "../../support/acme.ts";

const all = { mode: 0, port: 0 } as const;

test("many watchers of a chain are sent the same bytes, encoded once for each change", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redSecurity, [{ fqn: ext("a") }]);
  const controller = new AbortController();
  const watches = Array.from({ length: 50 }, () =>
    watchChain(catalog.reader, redSecurity, all, controller.signal),
  );
  const sent: Uint8Array[] = [];
  for (const priority of [1, 2]) {
    const results = await Promise.all(watches.map((watch) => watch.next()));
    const bytes = new Set(results.map(({ value }) => value?.bytes ?? expect.fail("it has ended")));
    expect(bytes.size).toBe(1);
    sent.push(...bytes);
    await catalog.put("a", { priority });
  }
  const priorities = sent.map((bytes) => {
    const { chain } = fromBinary(WatchChainResponseSchema, bytes);
    return chain?.links.map((link) => link.priority);
  });
  expect(priorities).toEqual([[0], [1]]);
  controller.abort();
});

test("a chain is resolved again for another state, and for other traffic", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redSecurity, [{ fqn: ext("a") }]);
  const latest = createLatestChain();
  const before = catalog.reader.state;
  const first = latest.resolve(before, redSecurity, all);
  expect(latest.resolve(before, redSecurity, all)).toBe(first);
  expect(latest.resolve(before, redSecurity, { ...all, port: 80 })).not.toBe(first);
  await catalog.put("a", { priority: 1 });
  const after = latest.resolve(catalog.reader.state, redSecurity, all);
  expect(after.chain.links[0]?.priority).toBe(1);
});
