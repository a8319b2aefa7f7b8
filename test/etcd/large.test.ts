/* Commits and objects that are too large for one request of etcd. */
import { create, type JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DeleteWasmExtensionRequestSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { SetAttachmentsRequestSchema } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { anyone } from "../../src/catalog/access/principal.ts";
import type { Commit } from "../../src/catalog/state/commit.ts";
import { createStore } from "../../src/catalog/store.ts";
import { setAttachments } from "../../src/catalog/writes/attachment-writes.ts";
import { deleteExtension } from "../../src/catalog/writes/extension-writes.ts";
import { composed } from "../../src/catalog/writes/plan.ts";
import { createEtcdClient } from "../../src/journal/etcd/client.ts";
import { createJanitor } from "../../src/journal/etcd/janitor.ts";
import { createEtcdJournal } from "../../src/journal/etcd/journal.ts";
import { keysUnder } from "../../src/journal/etcd/keys.ts";
import { createInMemory } from "../support/in-memory.ts";
import { storedExtensions, storedSets } from "../support/stored.ts";
import { until } from "../support/stream.ts";
import { freshPrefix } from "./medium.ts";
import { type Etcd, startEtcd } from "./support/etcd.ts";

const parent = "organizations/acme";
const fqn = `${parent}/extensions/a`;
const target = (index: number): string =>
  `${parent}/tenants/red/workspaces/w/securitygroups/s${index}`;

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd[Symbol.asyncDispose]();
});

async function openCatalog(prefix: string) {
  const journal = createEtcdJournal({ endpoints: etcd.urls, prefix });
  const store = createStore();
  const commits: Commit[] = [];
  await journal.open({
    get state() {
      return store.state;
    },
    turns: store.turns,
    restore: (restored) => {
      store.restore(restored);
    },
    apply: (commit, prepared) => {
      store.apply(commit, prepared);
      commits.push(commit);
    },
  });
  const { extensions } = createInMemory({ catalog: { reader: store, journal } });
  return { journal, store, commits, extensions, [Symbol.asyncDispose]: () => journal.close() };
}

type Opened = Awaited<ReturnType<typeof openCatalog>>;

function contentOf({ store }: Opened) {
  const { state, incarnation } = store;
  return {
    revision: state.revision,
    incarnation,
    extensions: storedExtensions(store),
    sets: storedSets(store),
  };
}

const attachEverywhere = (count: number, config: JsonObject = {}, first = 0) =>
  composed(
    Array.from({ length: count }, (_, index) =>
      setAttachments(
        create(SetAttachmentsRequestSchema, {
          attachmentSet: { fqn: target(first + index), extension: [{ fqn, config }] },
        }),
        anyone,
      ),
    ),
  );

test("a deletion takes 5,000 attachments along in one commit, on every server", async () => {
  const prefix = freshPrefix();
  await using one = await openCatalog(prefix);
  await using other = await openCatalog(prefix);
  await one.extensions.createWasmExtension({
    parent,
    name: "a",
    wasmExtension: { url: "oci://x" },
  });
  await one.journal.write(attachEverywhere(5_000));
  const deletion = deleteExtension(create(DeleteWasmExtensionRequestSchema, { fqn }));
  await one.journal.write(deletion, { author: "ann", reason: "DeleteWasmExtension" });
  const { revision } = one.store.state;
  await until(() => other.store.state.revision >= revision, "the commit");
  expect(other.commits).toHaveLength(3);
  const { changes, metadata } = other.commits[2] ?? {};
  expect(changes).toHaveLength(5_001);
  expect(metadata).toMatchObject({ author: "ann", reason: "DeleteWasmExtension" });
  expect(metadata?.detached).toHaveLength(5_000);
  expect(contentOf(other)).toEqual(contentOf(one));
  // One that loads while the commit is carried out has all of it.
  await using third = await openCatalog(prefix);
  expect(contentOf(third)).toEqual(contentOf(one));
  // What was detached does not come back with the name.
  await other.extensions.createWasmExtension({
    parent,
    name: "a",
    wasmExtension: { url: "oci://y" },
  });
  await etcd.admin.compact();
  await using fourth = await openCatalog(prefix);
  expect(contentOf(fourth)).toEqual(contentOf(other));
  expect(fourth.store.state.organizations.get(parent)?.targets.size).toBe(0);
  expect(await etcd.admin.keys(`${prefix}b/`)).toEqual([]);
  expect(await etcd.admin.keys(`${prefix}p/`)).toEqual([]);
});

test("a server that starts follows commits that come in fragments", async () => {
  const prefix = freshPrefix();
  await using one = await openCatalog(prefix);
  await one.extensions.createWasmExtension({
    parent,
    name: "a",
    wasmExtension: { url: "oci://x" },
  });
  for (let index = 0; index < 10; index++) {
    // Etcd sends about 1.5 MiB at once.
    await one.journal.write(attachEverywhere(90, { padding: "x".repeat(7_000) }, index * 90));
  }
  await using other = await openCatalog(prefix);
  expect(other.commits).toHaveLength(11);
  expect(contentOf(other)).toEqual(contentOf(one));
});

test("an object takes several keys while it is large, and one when it is small again", async () => {
  const prefix = freshPrefix();
  await using one = await openCatalog(prefix);
  const sized = (bytes: number) => ({ url: "oci://x", description: "x".repeat(bytes) });
  let { etag } = await one.extensions.createWasmExtension({
    parent,
    name: "a",
    wasmExtension: sized(3_000_000),
  });
  for (const bytes of [800_000, 2_000_000, 10, 600_000, 700_000, 0]) {
    ({ etag } = await one.extensions.updateWasmExtension({ fqn, etag, ...sized(bytes) }));
    await using other = await openCatalog(prefix);
    expect(contentOf(other)).toEqual(contentOf(one));
  }
  await one.extensions.updateWasmExtension({ fqn, etag, ...sized(3_000_000) });
  await one.extensions.deleteWasmExtension({ fqn });
  await one.extensions.createWasmExtension({ parent, name: "b", wasmExtension: sized(0) });
  const left = (await etcd.admin.keys(prefix)).map((key) => key.slice(prefix.length));
  expect(left).toEqual(["catalog", "h/acme", "o/acme/e/b"]);
});

test("pieces of commits that were never made go after a time, others stay", async () => {
  const prefix = freshPrefix();
  await using one = await openCatalog(prefix);
  await one.extensions.createWasmExtension({
    parent,
    name: "a",
    wasmExtension: { url: "oci://x" },
  });
  await etcd.admin.put(`${prefix}b/acme/abc/000000`, "left behind");
  await etcd.admin.put(`${prefix}b/other/abc/000000`, "needed");
  await etcd.admin.put(`${prefix}p/other`, "");
  const client = createEtcdClient({ endpoints: etcd.urls });
  const janitor = createJanitor(client, keysUnder(prefix));
  const { signal } = new AbortController();
  await janitor.sweep(0, signal);
  await janitor.sweep(4 * 60_000, signal);
  expect(await etcd.admin.keys(`${prefix}b/`)).toHaveLength(2);
  await janitor.sweep(6 * 60_000, signal);
  expect(await etcd.admin.keys(`${prefix}b/`)).toEqual([`${prefix}b/other/abc/000000`]);
  client.close();
});

test("a catalog whose key was replaced is another one, on every server", async () => {
  const prefix = freshPrefix();
  await using one = await openCatalog(prefix);
  await using other = await openCatalog(prefix);
  await one.extensions.createWasmExtension({
    parent,
    name: "a",
    wasmExtension: { url: "oci://x" },
  });
  const { incarnation } = one.store;
  const key = Buffer.from(`${prefix}catalog`).toString("base64");
  await etcd.admin.call("kv/deleterange", { key });
  await until(() => one.store.incarnation !== incarnation, "another incarnation");
  await until(() => one.store.incarnation === other.store.incarnation, "the same on both");
  await other.extensions.createWasmExtension({
    parent,
    name: "b",
    wasmExtension: { url: "oci://x" },
  });
  await until(() => storedExtensions(one.store).size === 2, "both extensions");
  expect(contentOf(one)).toEqual(contentOf(other));
});
