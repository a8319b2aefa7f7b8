/* What is wrong with an etcd when a server starts on it, users, certificates, and several catalogs. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createStore } from "../../src/catalog/store.ts";
import { createEtcdJournal, type EtcdJournalOptions } from "../../src/journal/etcd/journal.ts";
import { UnusableStore } from "../../src/journal/unusable-store.ts";
import { createInMemory } from "../support/in-memory.ts";
import { storedExtensions } from "../support/stored.ts";
import { cert, key } from "../support/tls.testdata.ts";
import { freshPrefix } from "./medium.ts";
import { type Etcd, startEtcd } from "./support/etcd.ts";

const parent = "organizations/acme";

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd[Symbol.asyncDispose]();
});

async function openCatalog(options: Partial<EtcdJournalOptions> = {}) {
  const journal = createEtcdJournal({ endpoints: etcd.urls, ...options });
  const store = createStore();
  await journal.open(store);
  const { extensions } = createInMemory({ catalog: { reader: store, journal } });
  return {
    store,
    create: (name: string) =>
      extensions.createWasmExtension({ parent, name, wasmExtension: { url: "oci://x" } }),
    [Symbol.asyncDispose]: () => journal.close(),
  };
}

async function problemOf(options: Partial<EtcdJournalOptions>): Promise<string> {
  const error = await openCatalog(options).then(
    () => undefined,
    (raised: unknown) => raised,
  );
  expect(error).toBeInstanceOf(UnusableStore);
  const { message } = error as UnusableStore;
  expect(message).not.toContain("\n");
  return message;
}

test("several catalogs share an etcd, each under its prefix", async () => {
  await using one = await openCatalog({ prefix: freshPrefix() });
  await using other = await openCatalog({ prefix: freshPrefix() });
  await one.create("a");
  await other.create("b");
  expect([...storedExtensions(one.store).keys()]).toEqual([`${parent}/extensions/a`]);
  expect([...storedExtensions(other.store).keys()]).toEqual([`${parent}/extensions/b`]);
  expect(one.store.incarnation).not.toBe(other.store.incarnation);
});

test("a catalog takes no commit of another one below its prefix for its own", async () => {
  const prefix = freshPrefix();
  await using one = await openCatalog({ prefix });
  await one.create("a");
  const { incarnation } = one.store;
  await using nested = await openCatalog({ prefix: `${prefix}dev/` });
  await nested.create("b");
  // So it is loaded as of now.
  await etcd.admin.compact();
  await using other = await openCatalog({ prefix });
  await other.create("c");
  expect(other.store.incarnation).toBe(incarnation);
  expect([...storedExtensions(other.store).keys()]).toEqual(
    ["a", "c"].map((name) => `${parent}/extensions/${name}`),
  );
});

test("an etcd that does not answer is named", async () => {
  const problem = await problemOf({ endpoints: ["http://127.0.0.1:1"], openMs: 500 });
  expect(problem).toContain("http://127.0.0.1:1");
  expect(problem).toContain("ECONNREFUSED");
});

test("a server that does not speak HTTP/2 is no reason to crash", async () => {
  const { createServer } = await import("node:net");
  const server = createServer((socket) => {
    socket.on("error", () => undefined).end("SSH-2.0-OpenSSH\r\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await problemOf({ endpoints: [`http://127.0.0.1:${port}`], openMs: 500 });
  server.close();
});

test("keys of another program under the prefix are left alone", async () => {
  const prefix = freshPrefix();
  await etcd.admin.put(`${prefix}settings`, "1");
  expect(await problemOf({ prefix })).toContain("--store-prefix");
  expect(await etcd.admin.keys(prefix)).toEqual([`${prefix}settings`]);
  const other = freshPrefix();
  await etcd.admin.put(`${other}catalog`, "text");
  expect(await problemOf({ prefix: other })).toContain("--store-prefix");
});

test("the format of a newer version is refused", async () => {
  const prefix = freshPrefix();
  // Field 1, the format, is 2.
  await etcd.admin.put(`${prefix}catalog`, "\u0008\u0002");
  expect(await problemOf({ prefix })).toMatch(/format 2.*newer/);
});

test("a node that is not there does not matter while another one is", async () => {
  const endpoints = ["http://127.0.0.1:1", ...etcd.urls];
  await using catalog = await openCatalog({ prefix: freshPrefix(), endpoints });
  await catalog.create("a");
});

test("writes as a user, and says so when etcd refuses it", async () => {
  await using guarded = await startEtcd({ flags: ["--auth-token-ttl", "1"] });
  const call = (path: string, body: unknown) => guarded.admin.call(path, body);
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  await call("auth/role/add", { name: "root" });
  await call("auth/user/add", { name: "root", password: "secret" });
  await call("auth/user/grant", { user: "root", role: "root" });
  await call("auth/role/add", { name: "catalog" });
  await call("auth/role/grant", {
    name: "catalog",
    perm: { permType: "READWRITE", key: base64("wasmext/"), range_end: base64("wasmext0") },
  });
  await call("auth/user/add", { name: "catalog", password: "pass" });
  await call("auth/user/grant", { user: "catalog", role: "catalog" });
  await call("auth/enable", {});
  const endpoints = guarded.urls;
  const user = { name: "catalog", password: "pass" };
  await using catalog = await openCatalog({ endpoints, user });
  await catalog.create("a");
  // Tokens that are not used end; the next write gets a new one.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await catalog.create("b");
  const wrong = { name: "catalog", password: "wrong" };
  expect(await problemOf({ endpoints, user: wrong })).toContain("--store-password-file");
  expect(await problemOf({ endpoints })).toContain("--store-user");
  expect(await problemOf({ endpoints, user, prefix: "elsewhere/" })).toContain("--store-prefix");
});

test("talks TLS with a certificate of its own, and not without", async () => {
  const folder = await mkdtemp(join(tmpdir(), "wasmext-tls-"));
  const files = { ca: join(folder, "ca"), cert: join(folder, "cert"), key: join(folder, "key") };
  // The certificate is its own authority.
  await writeFile(files.ca, cert);
  await writeFile(files.cert, cert);
  await writeFile(files.key, key);
  await using guarded = await startEtcd({ tls: files });
  const tls = { ca: Buffer.from(cert), cert: Buffer.from(cert), key: Buffer.from(key) };
  await using catalog = await openCatalog({ endpoints: guarded.urls, tls });
  await catalog.create("a");
  await problemOf({ endpoints: guarded.urls, openMs: 500 });
  await problemOf({ endpoints: guarded.urls, tls: { ca: tls.ca }, openMs: 500 });
  await rm(folder, { recursive: true });
});
