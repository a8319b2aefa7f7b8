/* Commits and objects that are larger than a request of etcd may be: each server and each watch has them whole. */
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { SetAttachmentsRequestSchema } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import type { WatchResponse } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { anyone } from "../../src/catalog/access/principal.ts";
import { setAttachments } from "../../src/catalog/writes/attachment-writes.ts";
import { composed } from "../../src/catalog/writes/plan.ts";
import { acme, ext, red, redSecurity, url } from "../support/acme.ts";
import { storedExtensions, storedSets } from "../support/stored.ts";
import { eventually } from "../support/eventually.ts";
import { startEtcd } from "./support/etcd.ts";
import { type JournalCatalog, openJournalCatalog } from "./support/journal-catalog.ts";
import { openWatcher } from "./support/watcher.ts";

const targets = Array.from(
  { length: 5_000 },
  (_, index) => `${red}/workspaces/w/securitygroups/s${index}`,
);

/** Attaches an extension to all targets in one commit. */
async function attachEverywhere({ journal }: JournalCatalog, fqn: string): Promise<void> {
  const plans = targets.map((target) => {
    const attachmentSet = { fqn: target, extension: [{ fqn }] };
    return setAttachments(create(SetAttachmentsRequestSchema, { attachmentSet }), anyone);
  });
  await journal.write(composed(plans));
}

const attached = ({ reader }: JournalCatalog): number =>
  [...storedSets(reader).values()].filter(({ extension }) => extension.length > 0).length;

const sizeOf = (commit: WatchResponse | undefined): number => commit?.events.length ?? 0;

test("a cascade of 5,000 is one commit on every server, and what it detached never comes back", async () => {
  await using etcd = await startEtcd();
  await using first = await openJournalCatalog(etcd.urls);
  await using second = await openJournalCatalog(etcd.urls);
  await using watcherOfFirst = openWatcher(first, acme);
  await using watcherOfSecond = openWatcher(second, acme);
  const watchers = [watcherOfFirst, watcherOfSecond];
  const creation = { parent: acme, name: "a", wasmExtension: { url } };

  await first.extensions.createWasmExtension(creation);
  await attachEverywhere(first, ext("a"));
  await second.reaches(first.reader.state.revision);
  expect(attached(second)).toBe(5_000);

  await second.extensions.deleteWasmExtension({ fqn: ext("a") });
  const { revision } = second.reader.state;
  await first.reaches(revision);
  for (const watcher of watchers) {
    await watcher.reaches(revision);
    expect(watcher.commits.map(sizeOf)).toEqual([1, 5_000, 5_001]);
    expect(watcher.restarts).toHaveLength(1);
  }
  for (const { commits } of [first, second]) {
    expect(commits.at(-1)?.metadata.detached).toHaveLength(5_000);
  }

  // All is written that the commit was of, and nothing else is left of it.
  await eventually("the end of the cascade", async () => {
    const left = [await etcd.admin.keys("wasmext/b/"), await etcd.admin.keys("wasmext/p/")];
    return left.flat().length === 0 || undefined;
  });
  await first.extensions.createWasmExtension(creation);
  await etcd.admin.compact();
  await using third = await openJournalCatalog(etcd.urls);
  for (const catalog of [first, second, third]) {
    await catalog.reaches(first.reader.state.revision);
    expect(attached(catalog)).toBe(0);
    expect(storedSets(catalog.reader).size).toBe(5_000);
  }
});

test("what a narrowed extension lost does not come back when it is widened again", async () => {
  await using etcd = await startEtcd();
  await using first = await openJournalCatalog(etcd.urls);
  await using second = await openJournalCatalog(etcd.urls);
  const creation = { parent: acme, name: "a", wasmExtension: { url } };
  const created = await first.extensions.createWasmExtension(creation);
  await attachEverywhere(first, ext("a"));
  const narrowed = await second.extensions.updateWasmExtension({
    ...created,
    allowedIn: [`${acme}/tenants/other`],
  });
  await first.extensions.updateWasmExtension({ ...narrowed, allowedIn: [] });
  await etcd.admin.compact();
  await using third = await openJournalCatalog(etcd.urls);
  for (const catalog of [first, second, third]) {
    await catalog.reaches(first.reader.state.revision);
    expect(attached(catalog)).toBe(0);
  }
});

test.each([
  ["just over a request", 1.6],
  ["as large as a message may be", 3.9],
])("objects %s are stored whole, replaced and deleted", async (_, megabytes) => {
  await using etcd = await startEtcd();
  await using first = await openJournalCatalog(etcd.urls);
  await using second = await openJournalCatalog(etcd.urls);
  const config = { large: "x".repeat(megabytes * 1024 * 1024) };
  const creation = { parent: acme, name: "a", wasmExtension: { url, config } };
  const created = await first.extensions.createWasmExtension(creation);
  await first.attachments.setAttachments({
    attachmentSet: { fqn: redSecurity, extension: [{ fqn: ext("a"), config }] },
  });
  const changed = { ...created, config: { large: "y".repeat(megabytes * 1024 * 1024) } };
  await second.extensions.updateWasmExtension(changed);
  await etcd.admin.compact();
  {
    await using third = await openJournalCatalog(etcd.urls);
    await first.reaches(third.reader.state.revision);
    for (const { reader } of [first, second, third]) {
      expect(storedExtensions(reader).get(ext("a"))?.config).toEqual(changed.config);
      expect(storedSets(reader).get(redSecurity)?.extension[0]?.config).toEqual(config);
    }
  }
  const updated = await second.extensions.getWasmExtension({ fqn: ext("a") });
  await second.extensions.updateWasmExtension({ ...updated, config: { small: true } });
  await first.attachments.deleteAttachments({ fqn: redSecurity });
  await first.extensions.deleteWasmExtension({ fqn: ext("a") });
  await using fourth = await openJournalCatalog(etcd.urls);
  await second.reaches(fourth.reader.state.revision);
  for (const { reader } of [first, second, fourth]) {
    expect([...storedExtensions(reader), ...storedSets(reader)]).toEqual([]);
  }
});
