/* A server that is far away from etcd, next to one that is near and writes all the time. */
import { expect, test } from "vitest";
import { acme, ext, url } from "../support/acme.ts";
import { refused } from "../support/errors.ts";
import { until } from "../support/stream.ts";
import { eventually } from "../support/eventually.ts";
import { startEtcd } from "./support/etcd.ts";
import { type JournalCatalog, openJournalCatalog } from "./support/journal-catalog.ts";

const creation = { parent: acme, name: "a", wasmExtension: { url } };

/** Writes all the time until it is told to stop; returns the latest etag. */
async function keepWriting({ extensions }: JournalCatalog) {
  let current = await extensions.createWasmExtension(creation);
  const controller = new AbortController();
  const writing = (async () => {
    for (let index = 0; !controller.signal.aborted; index++) {
      const change = { ...current, description: String(index) };
      current = await extensions.updateWasmExtension(change);
    }
    return current.etag;
  })();
  return () => {
    controller.abort();
    return writing;
  };
}

test("a write is not overtaken forever", async () => {
  await using etcd = await startEtcd();
  await using near = await openJournalCatalog(etcd.urls);
  await using far = await openJournalCatalog(etcd.urls);
  far.link.delay(30);
  const stop = await keepWriting(near);
  for (const name of ["b", "c", "d"]) {
    await far.extensions.createWasmExtension({ ...creation, name });
  }
  await stop();
  expect(await etcd.admin.keys("wasmext/p/")).toEqual([]);
});

test("a write that is given up gives its reservation up", async () => {
  await using etcd = await startEtcd();
  await using near = await openJournalCatalog(etcd.urls);
  await using far = await openJournalCatalog(etcd.urls);
  far.link.delay(50);
  const stop = await keepWriting(near);
  for (let index = 0; index < 3; index++) {
    const controller = new AbortController();
    const { signal } = controller;
    const writing = far.extensions.createWasmExtension({ ...creation, name: "b" }, { signal });
    writing.catch(() => undefined);
    await eventually("a reservation", async () => {
      return (await etcd.admin.keys("wasmext/p/")).length > 0 || undefined;
    });
    const { length } = near.commits;
    controller.abort();
    const startedAt = performance.now();
    await until(() => near.commits.length > length + 1, "more writes");
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  }
  await stop();
});

test("a refusal needs no state that stays the latest one", async () => {
  await using etcd = await startEtcd();
  await using near = await openJournalCatalog(etcd.urls);
  await using far = await openJournalCatalog(etcd.urls);
  far.link.delay(30);
  const stop = await keepWriting(near);
  for (let index = 0; index < 5; index++) {
    expect((await refused(far.extensions.createWasmExtension(creation))).reason).toBe(
      "ALREADY_EXISTS",
    );
  }
  const etag = await stop();
  // The far one has not been told of it yet; what it answers is the latest all the same.
  const last = await far.extensions.updateWasmExtension({ fqn: ext("a"), etag, url });
  expect(last.etag).not.toBe(etag);
});
