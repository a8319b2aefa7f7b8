/* Keys that somebody changes by hand: servers are ready again, with what etcd has then. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { acme, ext, url } from "../support/acme.ts";
import { storedExtensions } from "../support/stored.ts";
import { until } from "../support/stream.ts";
import { freshPrefix } from "./medium.ts";
import { type Etcd, startEtcd } from "./support/etcd.ts";
import { openJournalCatalog } from "./support/journal-catalog.ts";

const other = "organizations/other";
const creation = (name: string, parent = acme) => ({ parent, name, wasmExtension: { url } });

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd[Symbol.asyncDispose]();
});

const changes: [string, (head: string) => Promise<void>][] = [
  ["is removed", (head) => etcd.admin.remove(head)],
  ["cannot be read", (head) => etcd.admin.put(head, "\u0001")],
  ["names no commit", (head) => etcd.admin.put(head, "")],
];

test.each(changes)("two servers go on after a head that %s", async (_, change) => {
  const prefix = freshPrefix();
  await using one = await openJournalCatalog(etcd.urls, prefix);
  await using two = await openJournalCatalog(etcd.urls, prefix);
  for (const name of ["a", "b"]) {
    await one.extensions.createWasmExtension(creation(name));
  }
  const loads = [one.restores, two.restores];
  await change(`${prefix}h/acme`);
  for (const [index, { journal, ...catalog }] of [one, two].entries()) {
    const isLoadedAnew = () => [one, two][index]?.restores !== loads[index];
    await until(() => isLoadedAnew() && journal.readiness.isReady, "ready again");
    await catalog.extensions.createWasmExtension(creation(`c${index}`));
  }
  await using fresh = await openJournalCatalog(etcd.urls, prefix);
  await one.reaches(fresh.reader.state.revision);
  for (const { reader } of [one, two, fresh]) {
    expect(storedExtensions(reader).size).toBe(4);
    expect(reader.incarnation).toBe(fresh.reader.incarnation);
  }
});

test("a head that was removed where etcd is compacted is missed by nobody", async () => {
  const prefix = freshPrefix();
  await using catalog = await openJournalCatalog(etcd.urls, prefix);
  await catalog.extensions.createWasmExtension(creation("a"));
  await catalog.extensions.createWasmExtension(creation("a", other));
  catalog.link.cut();
  await until(() => !catalog.journal.readiness.isReady, "out of touch");
  await etcd.admin.remove(`${prefix}h/acme`);
  await etcd.admin.compact();
  await etcd.admin.put("another/program", "x");
  catalog.link.heal();
  await until(() => catalog.journal.readiness.isReady, "in touch");
  await catalog.extensions.createWasmExtension(creation("b"));
  expect(storedExtensions(catalog.reader).has(ext("b"))).toBe(true);
});
