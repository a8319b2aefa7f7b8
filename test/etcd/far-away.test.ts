/* A server that is far away from etcd, next to one that is near and writes all the time. */
import { expect, test } from "vitest";
import { acme, ext, url } from "../support/acme.ts";
import { refused } from "../support/errors.ts";
import { startEtcd } from "./support/etcd.ts";
import { openJournalCatalog } from "./support/journal-catalog.ts";

test("a refusal needs no state that stays the latest one", async () => {
  await using etcd = await startEtcd();
  await using near = await openJournalCatalog(etcd.urls);
  await using far = await openJournalCatalog(etcd.urls);
  far.link.delay(30);
  const creation = { parent: acme, name: "a", wasmExtension: { url } };
  let current = await near.extensions.createWasmExtension(creation);
  const controller = new AbortController();
  const writing = (async () => {
    for (let index = 0; !controller.signal.aborted; index++) {
      const change = { ...current, description: String(index) };
      current = await near.extensions.updateWasmExtension(change);
    }
    return current;
  })();
  for (let index = 0; index < 5; index++) {
    expect((await refused(far.extensions.createWasmExtension(creation))).reason).toBe(
      "ALREADY_EXISTS",
    );
  }
  controller.abort();
  const { etag } = await writing;
  // The far one has not been told of it yet; what it answers is the latest all the same.
  const last = await far.extensions.updateWasmExtension({ fqn: ext("a"), etag, url });
  expect(last.etag).not.toBe(etag);
});
