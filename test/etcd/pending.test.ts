/* Large commits that several servers carry out at the same time, that one was not told the end of, or that etcd is lost in. */
import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EtcdPendingSchema } from "../../gen/wasmext/stored/v1/etcd_pb.ts";
import { SetAttachmentsRequestSchema } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { anyone } from "../../src/catalog/access/principal.ts";
import { outcomeUnknown, outOfTouch } from "../../src/catalog/errors.ts";
import { emptyState } from "../../src/catalog/state/state.ts";
import { setAttachments } from "../../src/catalog/writes/attachment-writes.ts";
import { composed } from "../../src/catalog/writes/plan.ts";
import { createEtcdClient } from "../../src/journal/etcd/client.ts";
import { commitRequests } from "../../src/journal/etcd/commit-requests.ts";
import { keysUnder } from "../../src/journal/etcd/keys.ts";
import { createProgress } from "../../src/journal/etcd/progress.ts";
import { put, transaction } from "../../src/journal/etcd/requests.ts";
import { sendCommit } from "../../src/journal/etcd/send-commit.ts";
import { acme, ext, red, url } from "../support/acme.ts";
import { refused } from "../support/errors.ts";
import { storedSets } from "../support/stored.ts";
import { until } from "../support/stream.ts";
import { freshPrefix } from "./medium.ts";
import { type Etcd, startEtcd } from "./support/etcd.ts";
import { openJournalCatalog } from "./support/journal-catalog.ts";

const other = "organizations/other";
const creation = (name: string, parent = acme) => ({ parent, name, wasmExtension: { url } });

/** A commit that takes several transactions to carry out. */
const attachEverywhere = () =>
  composed(
    Array.from({ length: 600 }, (_, index) => {
      const fqn = `${red}/workspaces/w/securitygroups/s${index}`;
      const attachmentSet = { fqn, extension: [{ fqn: ext("a") }] };
      return setAttachments(create(SetAttachmentsRequestSchema, { attachmentSet }), anyone);
    }),
  );

/** The key of a commit that another server carries out. */
const pendingElsewhere = Buffer.from(
  toBinary(EtcdPendingSchema, create(EtcdPendingSchema, { id: Uint8Array.of(1, 2), pieces: 1 })),
).toString();

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd[Symbol.asyncDispose]();
});

test("a server that is second to carry out a commit writes on, whatever else is written to etcd", async () => {
  const prefix = freshPrefix();
  await using catalog = await openJournalCatalog(etcd.urls, prefix);
  await etcd.admin.put(`${prefix}p/acme`, pendingElsewhere);
  // What comes after it in etcd comes after it here.
  await catalog.extensions.createWasmExtension(creation("a", other));
  catalog.link.hold("answers");
  await etcd.admin.remove(`${prefix}p/acme`);
  await etcd.admin.put("another/program", "x");
  const { requests } = catalog.link;
  const writing = catalog.extensions.createWasmExtension(creation("a"));
  await until(() => catalog.link.requests > requests, "begun to carry it out");
  catalog.link.heal();
  await writing;
});

test("the end of a pending commit is noticed if it is where etcd is compacted", async () => {
  const prefix = freshPrefix();
  await using catalog = await openJournalCatalog(etcd.urls, prefix);
  await etcd.admin.put(`${prefix}p/acme`, pendingElsewhere);
  await catalog.extensions.createWasmExtension(creation("a", other));
  catalog.link.cut();
  await until(() => !catalog.journal.readiness.isReady, "out of touch");
  await etcd.admin.remove(`${prefix}p/acme`);
  await etcd.admin.compact();
  await etcd.admin.put("another/program", "x");
  catalog.link.heal();
  await catalog.extensions.createWasmExtension(creation("a"));
});

test("a write does not wait for a commit that is carried out while etcd is away", async () => {
  await using catalog = await openJournalCatalog(etcd.urls, freshPrefix());
  await catalog.extensions.createWasmExtension(creation("a"));
  // The pieces, the commit, its pieces again, and the first of seven transactions.
  const isCut = catalog.link.cutAt(5, false);
  await catalog.journal.write(attachEverywhere());
  await until(isCut, "lost in the middle");
  await until(() => !catalog.journal.readiness.isReady, "out of touch");
  const startedAt = performance.now();
  const { reason } = await refused(catalog.extensions.createWasmExtension(creation("b")));
  expect(reason).toBe("STORE_UNREACHABLE");
  expect(performance.now() - startedAt).toBeLessThan(4_000);
  catalog.link.heal();
  await until(() => catalog.journal.readiness.isReady, "in touch");
  await catalog.extensions.createWasmExtension(creation("b"));
  expect(storedSets(catalog.reader).size).toBe(600);
});

test("a reservation of a server that was lost ends by itself", async () => {
  const prefix = freshPrefix();
  await using one = await openJournalCatalog(etcd.urls, prefix);
  await one.extensions.createWasmExtension(creation("a"));
  await etcd.admin.put(`${prefix}p/acme`, "");
  await using other = await openJournalCatalog(etcd.urls, prefix);
  await other.extensions.createWasmExtension(creation("b"));
  await one.extensions.createWasmExtension(creation("c"));
});

test("a large commit ends the reservation that was made for it", async () => {
  const prefix = freshPrefix();
  await using near = await openJournalCatalog(etcd.urls, prefix);
  await using far = await openJournalCatalog(etcd.urls, prefix);
  let current = await near.extensions.createWasmExtension(creation("a"));
  far.link.delay(20);
  const isMade = { large: false };
  const writing = (async () => {
    while (!isMade.large) {
      current = await near.extensions.updateWasmExtension({
        ...current,
        description: randomUUID(),
      });
    }
  })();
  await far.journal.write(attachEverywhere());
  isMade.large = true;
  await writing;
  await near.reaches(far.reader.state.revision);
  await near.extensions.createWasmExtension(creation("b"));
  expect(storedSets(near.reader).size).toBe(600);
  expect(await etcd.admin.keys(`${prefix}p/`)).toEqual([]);
});

test("a write that is given up while its pieces are sent ends with the reason for that", async () => {
  await using catalog = await openJournalCatalog(etcd.urls, freshPrefix());
  await catalog.extensions.createWasmExtension(creation("a"));
  const controller = new AbortController();
  const isSent = catalog.link.cutAt(1, true);
  const writing = catalog.journal.write(attachEverywhere(), { signal: controller.signal });
  await until(isSent, "a piece");
  const reason = new Error("given up");
  controller.abort(reason);
  await expect(writing).rejects.toBe(reason);
});

test("a commit that the store has passed without it is of unknown outcome", async () => {
  const client = createEtcdClient({ endpoints: etcd.urls });
  const progress = createProgress();
  // As after a restore of etcd that nobody has noticed yet.
  progress.moveTo(1_000_000n);
  const decisive = transaction([], [put(Buffer.from(freshPrefix()), Buffer.from("x"))]);
  const { promise: followed } = Promise.withResolvers<true>();
  const sending = { client, progress, followed, isFollowed: () => false, loads: () => 1 };
  const signal = AbortSignal.timeout(3_000);
  const sent = sendCommit({ ...sending, caller: undefined }, { pieces: [], decisive }, signal);
  await expect(sent).rejects.toThrow(outcomeUnknown().message);
  client.close();
});

test("a commit that another one is in the way of is decided again once the store knows that", async () => {
  const keys = keysUnder(freshPrefix());
  const client = createEtcdClient({ endpoints: etcd.urls });
  const progress = createProgress();
  await etcd.admin.put(Buffer.from(keys.pending(acme)).toString(), pendingElsewhere);
  const metadata = { time: 0, author: "", reason: "", detached: [] };
  const commit = { revision: 0n, organization: acme, changes: [], metadata };
  const decidedOn = { state: emptyState(), head: 0n, reserved: 0n };
  const recorded = { commit, replaced: new Map<string, never>() };
  const requests = commitRequests(keys, Uint8Array.of(1), recorded, decidedOn);
  const { promise: followed } = Promise.withResolvers<true>();
  const sending = { client, progress, followed, isFollowed: () => false, loads: () => 1 };
  const send = (ms: number) =>
    sendCommit({ ...sending, caller: undefined }, requests, AbortSignal.timeout(ms));
  await expect(send(300)).rejects.toThrow(outOfTouch().message);
  progress.moveTo((await etcd.admin.status()).revision);
  expect(await send(3_000)).toBe(false);
  client.close();
});
