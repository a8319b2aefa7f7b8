/* The faults that the tests of this folder inject are real ones. */
import { expect, test } from "vitest";
import { createAdmin } from "./admin.ts";
import { startEtcd } from "./etcd.ts";
import { openLink } from "./link.ts";

test("a cluster of three outlives its leader, and a node that comes back has everything", async () => {
  await using etcd = await startEtcd({ nodes: 3 });
  const leader = await etcd.leader();
  await etcd.admin.put("a", "1");
  await leader.kill();
  await expect(leader.admin.status()).rejects.toThrow();
  const next = await etcd.leader();
  await next.admin.put("b", "2");
  await leader.start();
  expect(await leader.admin.keys("")).toEqual(["a", "b"]);
});

test("a node that is paused answers nothing until it goes on", async () => {
  await using etcd = await startEtcd();
  const [node] = etcd.nodes;
  node?.pause();
  await expect(etcd.admin.put("a", "1")).rejects.toThrow("timeout");
  node?.resume();
  await etcd.admin.put("b", "2");
  expect(await etcd.admin.keys("b")).toEqual(["b"]);
});

test("a link that is held lets nothing through, and all of it later", async () => {
  await using etcd = await startEtcd();
  await using link = await openLink(etcd.urls);
  const admin = createAdmin(link.urls);
  await admin.put("a", "1");
  link.hold("answers");
  const late = admin.put("b", "2");
  const isThere = async () => (await etcd.admin.keys("b")).length === 1;
  await expect.poll(isThere).toBe(true);
  link.heal();
  await late;
  link.hold();
  const held = admin.put("c", "3");
  expect(await etcd.admin.keys("c")).toEqual([]);
  link.heal();
  await held;
});

test("a link that is cut refuses connections until it is healed", async () => {
  await using etcd = await startEtcd();
  await using link = await openLink(etcd.urls);
  const admin = createAdmin(link.urls);
  await admin.put("a", "1");
  link.cut();
  await expect(admin.put("b", "2")).rejects.toThrow();
  link.heal();
  await admin.put("c", "3");
  expect(await etcd.admin.keys("b")).toEqual([]);
});

test("a compaction forgets what was before", async () => {
  await using etcd = await startEtcd();
  await etcd.admin.put("a", "1");
  const { revision } = await etcd.admin.status();
  await etcd.admin.put("a", "2");
  await etcd.admin.compact();
  const past = etcd.admin.call("kv/range", { key: "YQ==", revision: String(revision) });
  await expect(past).rejects.toThrow("compacted");
});
