/* An etcd that was restored from a backup while a server runs: the server has what etcd has, or says that it has not. */
import { expect, test } from "vitest";
import { acme, ext, url } from "../support/acme.ts";
import { storedExtensions } from "../support/stored.ts";
import { until } from "../support/stream.ts";
import { type Etcd, startEtcd } from "./support/etcd.ts";
import { type JournalCatalog, openJournalCatalog } from "./support/journal-catalog.ts";

const creation = (name: string, parent = acme) => ({ parent, name, wasmExtension: { url } });

const held = ({ reader }: JournalCatalog): string[] => [...storedExtensions(reader).keys()].sort();

/** What another program writes to etcd. */
async function writeOthers({ admin }: Etcd, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await admin.put("another/program", "x");
  }
}

/** What happens to the restored etcd before the server finds it. */
const meanwhile: [string, (etcd: Etcd) => Promise<void>][] = [
  ["at once", () => Promise.resolve()],
  ["after other programs have written to it", (etcd) => writeOthers(etcd, 60)],
  [
    "after another server has written to it",
    async (etcd) => {
      await using other = await openJournalCatalog(etcd.urls);
      await other.extensions.createWasmExtension(creation("new"));
    },
  ],
  [
    "after other programs and another server have written to it",
    async (etcd) => {
      await using other = await openJournalCatalog(etcd.urls);
      await other.extensions.createWasmExtension(creation("new"));
      await writeOthers(etcd, 60);
    },
  ],
  [
    "after it has been compacted",
    async (etcd) => {
      await writeOthers(etcd, 60);
      await etcd.admin.compact();
      await writeOthers(etcd, 1);
    },
  ],
];

test.each(meanwhile)(
  "a server that has only loaded its catalog notices a restore %s",
  async (_, happen) => {
    await using etcd = await startEtcd();
    let restore: () => Promise<void>;
    {
      await using first = await openJournalCatalog(etcd.urls);
      await first.extensions.createWasmExtension(creation("a"));
      restore = await etcd.backUp();
      await until(() => first.journal.readiness.isReady, "in touch with etcd");
      await first.extensions.createWasmExtension(creation("b"));
      await writeOthers(etcd, 30);
      await etcd.admin.compact();
    }
    await using catalog = await openJournalCatalog(etcd.urls);
    expect(held(catalog)).toEqual([ext("a"), ext("b")]);
    expect(catalog.commits).toEqual([]);
    const { incarnation } = catalog.reader;

    catalog.link.cut();
    await restore();
    await happen(etcd);
    await until(() => !catalog.journal.readiness.isReady, "out of touch");
    catalog.link.heal();
    await until(() => catalog.journal.readiness.isReady, "in touch with the restored etcd");
    expect(catalog.reader.incarnation).not.toBe(incarnation);

    const other = "organizations/other";
    await catalog.extensions.createWasmExtension(creation("c", other));
    await catalog.extensions.createWasmExtension(creation("b"));
    expect(held(catalog)).toContain(ext("c").replace(acme, other));
    await using fresh = await openJournalCatalog(etcd.urls);
    expect(held(catalog)).toEqual(held(fresh));
    expect(catalog.reader.incarnation).toBe(fresh.reader.incarnation);
  },
);

test("a server of an empty catalog notices that etcd was restored to before it", async () => {
  await using etcd = await startEtcd();
  const restore = await etcd.backUp();
  await using catalog = await openJournalCatalog(etcd.urls);
  const { incarnation } = catalog.reader;
  catalog.link.cut();
  await restore();
  await writeOthers(etcd, 10);
  await until(() => !catalog.journal.readiness.isReady, "out of touch");
  catalog.link.heal();
  await until(() => catalog.journal.readiness.isReady, "in touch with the restored etcd");
  expect(catalog.reader.incarnation).not.toBe(incarnation);
  await catalog.extensions.createWasmExtension(creation("a"));
  await using fresh = await openJournalCatalog(etcd.urls);
  expect(held(fresh)).toEqual([ext("a")]);
  expect(catalog.reader.incarnation).toBe(fresh.reader.incarnation);
});

test("a server that finds the etcd that it has left stays with its catalog", async () => {
  await using etcd = await startEtcd();
  await using catalog = await openJournalCatalog(etcd.urls);
  await catalog.extensions.createWasmExtension(creation("a"));
  const { incarnation } = catalog.reader;
  for (const happen of [() => writeOthers(etcd, 10), () => etcd.admin.compact()]) {
    catalog.link.cut();
    await until(() => !catalog.journal.readiness.isReady, "out of touch");
    await happen();
    catalog.link.heal();
    await until(() => catalog.journal.readiness.isReady, "in touch");
  }
  expect(catalog.reader.incarnation).toBe(incarnation);
  expect(held(catalog)).toEqual([ext("a")]);
});
