import type { Transport } from "@connectrpc/connect";
import { createClient } from "@connectrpc/connect";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { EnvValueSource } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { FailurePolicy } from "../../gen/envoy/extensions/wasm/v3/wasm_pb.ts";
import { LinkEffect as Effect, LinkState } from "../../gen/wasmext/v1/proxy_pb.ts";
import { ProxyService } from "../../gen/wasmext/v1/proxy_service_pb.ts";
import { NodeSchema } from "../../gen/envoy/config/core/v3/base_pb.ts";
import { anyone } from "../../src/catalog/access/principal.ts";
import { createInMemoryTransport } from "../../src/in-memory.ts";
import {
  type Acme,
  acme,
  blueSecurity,
  createAcme,
  ext,
  red,
  redIngress,
} from "../support/acme.ts";
import { AdsProxy, type AdsProxyOptions } from "../support/ads-proxy.ts";
import { createFakeModules, type FakeModules } from "../support/fake-modules.ts";
import { proxiesOf } from "../support/proxies.ts";
import { read, until } from "../support/stream.ts";

const slotOf = (phase: string, target = redIngress): string => `wasmext/${phase}/gateway/${target}`;
const authn = slotOf("authn");
const stats = slotOf("stats");

describe.each(["delta", "world"] as const)("over %s", (protocol) => {
  let catalog: Acme;
  let modules: FakeModules;
  let transport: Transport;
  const proxies: AdsProxy[] = [];
  const refusal: NonNullable<AdsProxyOptions["refusal"]> = (plugin, config) =>
    config.includes("refuse") ? `Unable to create Wasm plugin ${plugin.name}` : undefined;

  const connect = (names: readonly string[], options: AdsProxyOptions = {}): AdsProxy => {
    const proxy = new AdsProxy(names, { protocol, refusal, ...options });
    proxies.push(proxy);
    proxy.connect(transport);
    return proxy;
  };
  const status = async (fqn: string) =>
    (await createClient(ProxyService, transport).getStatus({ fqn })).status;

  beforeEach(() => {
    catalog = createAcme();
    modules = createFakeModules();
    const { reader, journal } = catalog;
    transport = createInMemoryTransport({ catalog: { reader, journal }, modules });
  });
  afterEach(async () => {
    await Promise.all(proxies.splice(0).map((proxy) => proxy.disconnect()));
    expect(modules.followers).toBe(0);
  });

  test("a proxy gets the chain of its target, a slot a phase, and what follows", async () => {
    await catalog.put("a", { phase: Phase.AUTHN, priority: 1 });
    await catalog.put("b", { phase: Phase.AUTHN, priority: 2 });
    await catalog.put("c", { phase: Phase.STATS });
    await catalog.attach(redIngress, [{ fqn: ext("c") }, { fqn: ext("a") }, { fqn: ext("b") }]);
    const proxy = connect([authn, stats, slotOf("unspecified"), slotOf("all")]);
    await proxy.runs(authn, [ext("b"), ext("a")]);
    await proxy.runs(stats, [ext("c")]);
    await proxy.runs(slotOf("unspecified"), []);
    await proxy.runs(slotOf("all"), [ext("b"), ext("a"), ext("c")]);
    await catalog.put("a", { phase: Phase.AUTHN, priority: 3 });
    await proxy.runs(authn, [ext("a"), ext("b")]);
    await catalog.remove("b");
    await proxy.runs(authn, [ext("a")]);
    expect(await status(redIngress)).toMatchObject({ proxies: 1, running: 1 });
  });

  test("a plugin gets its configuration, its environment, and a VM of its own", async () => {
    const config = { b: [1, "ü"], a: { x: null } };
    const env = [
      { name: "A", value: "1", valueFrom: EnvValueSource.INLINE },
      { name: "__proto__", value: "2", valueFrom: EnvValueSource.INLINE },
      { name: "HOME", valueFrom: EnvValueSource.HOST },
    ];
    await catalog.put("a", { phase: Phase.AUTHN, config, vmConfig: { env } });
    await catalog.put("b", { phase: Phase.STATS, url: "file:///etc/b.wasm" });
    const own = { fqn: ext("a"), config: {} };
    await catalog.attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("b") }, own]);
    const proxy = connect([slotOf("all")]);
    await proxy.runs(slotOf("all"), [ext("a"), `${ext("a")}#2`, ext("b")]);
    const [first, second, third] = proxy.filters(slotOf("all"));
    expect(first?.config).toBe(JSON.stringify(config));
    expect(second?.config).toBe("{}");
    expect(third?.config).toBeUndefined();
    const vms = [first, second, third].map((filter) => filter?.plugin?.vm.value);
    expect(new Set(vms.map((vm) => vm?.vmId)).size).toBe(3);
    expect(vms[0]?.environmentVariables?.hostEnvKeys).toEqual(["HOME"]);
    expect(Object.entries(vms[0]?.environmentVariables?.keyValues ?? {})).toEqual([
      ["A", "1"],
      ["__proto__", "2"],
    ]);
    expect(vms[2]?.code?.specifier.value).toMatchObject({
      specifier: { case: "filename", value: "/etc/b.wasm" },
    });
    expect(first?.plugin?.failurePolicy).toBe(FailurePolicy.FAIL_RELOAD);
    expect(third?.plugin?.failurePolicy).toBe(FailurePolicy.FAIL_OPEN);
  });

  test("what is refused stays as it was, is told, and is mended by the next good change", async () => {
    await catalog.put("a", { phase: Phase.AUTHN });
    await catalog.put("b", { phase: Phase.AUTHN });
    await catalog.attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("b") }]);
    const proxy = connect([authn]);
    await proxy.runs(authn, [ext("a"), ext("b")]);
    const configs = (): (string | undefined)[] => proxy.filters(authn).map(({ config }) => config);

    await catalog.put("a", { phase: Phase.AUTHN, config: { refuse: true } });
    await catalog.put("b", { phase: Phase.AUTHN, config: { good: true } });
    await until(() => configs()[1] === '{"good":true}', "the neighbour changes");
    expect(configs()[0]).toBeUndefined();
    expect((await status(ext("a")))?.attachments[0]?.problems[0]).toMatchObject({
      nodeId: "proxy",
      slot: authn,
      state: LinkState.REJECTED,
      effect: Effect.LAST_GOOD,
      reason: "PROXY_REFUSED",
    });
    expect(await status(ext("b"))).toMatchObject({ summary: "runs on 1 of 1 proxy" });

    await catalog.put("a", { phase: Phase.AUTHN, config: { good: 2 } });
    await until(() => configs()[0] === '{"good":2}', "the plugin is mended");
    expect(await status(ext("a"))).toMatchObject({ proxies: 1, running: 1 });
  });

  test("what never was good is denied where security is at stake, and left out elsewhere", async () => {
    const config = { refuse: true };
    await catalog.put("a", { phase: Phase.AUTHN, config });
    await catalog.put("c", { phase: Phase.STATS, config });
    modules.set("oci://x/gone:1", {
      kind: "failed",
      problem: { reason: "NOT_FOUND", message: "it is not there" },
    });
    await catalog.put("d", { phase: Phase.AUTHN, url: "oci://x/gone:1" });
    await catalog.attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("c") }, { fqn: ext("d") }]);
    const proxy = connect([authn, stats]);
    await proxy.runs(authn, ["deny", "deny"]);
    await proxy.runs(stats, []);
    const problems = (await status(redIngress))?.attachments.map(({ problems: [one] }) => one);
    expect(problems).toMatchObject([
      { state: LinkState.REJECTED, effect: Effect.DENIED },
      { state: LinkState.REJECTED, effect: Effect.LEFT_OUT },
      { state: LinkState.MODULE_FAILED, effect: Effect.DENIED, reason: "NOT_FOUND" },
    ]);
    modules.set("oci://x/gone:1", Buffer.from("a module"));
    await proxy.runs(authn, ["deny", ext("d")]);
  });

  test("a change waits for its modules for a moment, and a proxy that runs goes on without them", async () => {
    await catalog.put("a", { phase: Phase.AUTHN });
    await catalog.put("b", { phase: Phase.AUTHN });
    await catalog.put("c", { phase: Phase.AUTHN, url: "oci://x/slow:1" });
    await catalog.attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("b") }]);
    const proxy = connect([authn]);
    await proxy.runs(authn, [ext("a"), ext("b")]);

    modules.set("oci://x/slow:1", { kind: "fetching" });
    await catalog.attach(redIngress, [{ fqn: ext("a"), config: { n: 1 } }, { fqn: ext("c") }]);
    await catalog.attach(redIngress, [{ fqn: ext("a"), config: { n: 2 } }, { fqn: ext("c") }]);
    const configs = (): unknown[] => proxy.filters(authn).map(({ config }) => config);
    await until(() => configs()[0] === '{"n":2}', "its neighbour changes");
    // What it replaces goes on.
    expect(proxy.run(authn)).toEqual([ext("a"), ext("b")]);
    modules.set("oci://x/slow:1", Buffer.from("a module"));
    await proxy.runs(authn, [ext("a"), ext("c")]);

    modules.set("oci://x/quick:1", { kind: "fetching" });
    await catalog.put("d", { phase: Phase.AUTHN, url: "oci://x/quick:1" });
    const count = proxy.answers.length;
    await catalog.attach(redIngress, [{ fqn: ext("a"), config: { n: 3 } }, { fqn: ext("d") }]);
    modules.set("oci://x/quick:1", Buffer.from("another module"));
    await proxy.runs(authn, [ext("a"), ext("d")]);
    expect(configs()).toEqual(['{"n":3}', undefined]);
    expect(proxy.answers.slice(count)).toEqual([[authn, "accepted"]]);
  });

  test("a proxy that comes back after a refusal does not take the refused for good", async () => {
    await catalog.put("a", { phase: Phase.AUTHN });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    const proxy = connect([authn]);
    await proxy.runs(authn, [ext("a")]);
    await catalog.put("a", { phase: Phase.AUTHN, config: { refuse: true } });
    // What runs is sent again, so that it is what the proxy got last.
    const lastTwo = () => proxy.answers.slice(-2).map(([, how]) => how);
    await until(() => lastTwo().join() === "refused,accepted", "it is refused");
    await proxy.disconnect();

    // Another server of the same catalog, as after a restart.
    const { reader, journal } = catalog;
    transport = createInMemoryTransport({ catalog: { reader, journal }, modules });
    proxy.connect(transport);
    await until(() => proxy.answers.filter(([, how]) => how === "refused").length === 2, "again");
    await until(
      () => JSON.stringify(proxy.answers.at(-1)) === JSON.stringify([authn, "refused"]),
      "nothing is accepted after it",
    );
    expect(proxy.filters(authn)[0]?.config).toBeUndefined();
    expect(await status(ext("a"))).toMatchObject({ running: 0 });
    await catalog.put("a", { phase: Phase.AUTHN, config: { good: true } });
    await until(() => proxy.filters(authn)[0]?.config === '{"good":true}', "it is mended");
  });

  test("a proxy keeps what it has from another catalog until its target has attachments here", async () => {
    await catalog.put("a", { phase: Phase.AUTHN });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    const proxy = connect([authn]);
    await proxy.runs(authn, [ext("a")]);
    await proxy.disconnect();

    // A memory store after a restart.
    catalog = createAcme();
    const { reader, journal } = catalog;
    transport = createInMemoryTransport({ catalog: { reader, journal }, modules });
    proxy.connect(transport);
    const list = () => createClient(ProxyService, transport).listProxies({ parent: acme });
    let problem = "";
    await until(() => {
      void list().then(({ proxies: [one] }) => (problem = one?.slots[0]?.problem ?? ""));
      return problem !== "";
    }, "it is connected");
    expect(problem).toContain(redIngress);
    await catalog.put("a", { phase: Phase.AUTHN });
    expect(proxy.run(authn)).toEqual([ext("a")]);
    const count = proxy.answers.length;
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    await until(() => proxy.answers.length > count, "it has a version of this catalog");
    await proxy.disconnect();

    await catalog.attachments.deleteAttachments({ fqn: redIngress });
    proxy.connect(transport);
    await proxy.runs(authn, []);
  });

  test("a proxy whose refusal is lost with its connection does not take the refused for good", async () => {
    await catalog.put("a", { phase: Phase.AUTHN });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    let isLost = false;
    const proxy = connect([authn], {
      refusal: (plugin, config) => {
        if (config.includes("refuse") && !isLost) {
          isLost = true;
          void proxy.disconnect();
        }
        return refusal(plugin, config);
      },
    });
    await proxy.runs(authn, [ext("a")]);
    await catalog.put("a", { phase: Phase.AUTHN, config: { refuse: true } });
    await until(() => isLost, "it is refused");
    await proxy.ended;

    proxy.connect(transport);
    await until(() => proxy.answers.filter(([, how]) => how === "refused").length === 2, "again");
    const now = await status(ext("a"));
    expect(now).toMatchObject({ proxies: 1, running: 0 });
    expect(now?.attachments[0]?.problems[0]).toMatchObject({ reason: "PROXY_REFUSED" });
  });

  test("names that are none, or of nobody the proxy may read, are answered with a denial", async () => {
    const proxy = connect([
      "x",
      "wasmext/authn",
      slotOf("authn", "organizations/x"),
      "wasmext/stats",
    ]);
    await proxy.runs("x", ["deny"]);
    await proxy.runs("wasmext/authn", ["deny"]);
    await proxy.runs(slotOf("authn", "organizations/x"), ["deny"]);
    await proxy.runs("wasmext/stats", []);
  });

  test("short names take the rest from the metadata of the node", async () => {
    await catalog.put("a", { phase: Phase.AUTHN });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    const metadata = { wasmext: { target: redIngress } };
    const proxy = connect(["wasmext/authn"], { node: { id: "web-1", metadata } });
    await proxy.runs("wasmext/authn", [ext("a")]);
  });

  test("a proxy that is too old gets nothing, and is told of", async () => {
    await catalog.put("a", { phase: Phase.AUTHN });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    const version = { majorNumber: 1, minorNumber: 38, patch: 2 };
    connect([authn], {
      node: {
        id: "old",
        userAgentVersionType: { case: "userAgentBuildVersion", value: { version } },
      },
    });
    const { parent } = { parent: acme };
    const list = async () => createClient(ProxyService, transport).listProxies({ parent });
    let listed = await list();
    await until(() => {
      void list().then((next) => (listed = next));
      return listed.proxies.length === 1;
    }, "it is listed");
    expect(listed.proxies[0]).toMatchObject({ nodeId: "old", version: "1.38.2" });
    expect(listed.proxies[0]?.problem).toMatch(/1\.38\.2.*run Envoy 1\.39 or newer/);
    expect(await status(redIngress)).toMatchObject({ proxies: 1, running: 0 });
  });

  test("watchers of proxies and of a status see each change once", async () => {
    await catalog.put("a", { phase: Phase.AUTHN });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    const client = createClient(ProxyService, transport);
    const statuses = read((options) => client.watchStatus({ fqn: ext("a") }, options));
    const events = read((options) => client.watchProxies({ parent: red }, options));
    const others = read((options) => client.watchProxies({ parent: blueSecurity }, options));
    expect((await statuses.next()).status).toMatchObject({ proxies: 0 });
    expect((await events.next()).event.case).toBe("bookmark");
    expect((await others.next()).event.case).toBe("bookmark");
    const proxy = connect([authn]);
    let seen;
    do {
      seen = (await statuses.next()).status;
    } while (seen?.running !== 1);
    let event;
    do {
      ({ event } = await events.next());
    } while (event.case !== "put" || event.value.slots[0]?.links[0]?.state !== LinkState.APPLIED);
    const { uid } = event.value;
    await proxy.disconnect();
    expect((await statuses.next()).status).toMatchObject({ proxies: 0, running: 0 });
    expect((await events.next()).event).toMatchObject({ case: "removed", value: uid });
    [statuses, events, others].forEach((stream) => {
      stream.cancel();
    });
  });
});

test("the log says which proxy gets nothing, and why", () => {
  const proxies = proxiesOf();
  const version = { majorNumber: 1, minorNumber: 38, patch: 2 };
  const session = proxies.connect({ ...anyone, grants: [] });
  session.greet(
    create(NodeSchema, {
      id: "old",
      userAgentVersionType: { case: "userAgentBuildVersion", value: { version } },
    }),
  );
  session.subscribe(authn);
  session.subscribe("wasmext/authn");
  proxies.disconnect(session);
  expect(proxies.warnings).toEqual([
    expect.stringMatching(/^proxy "old" cannot run extensions: Envoy 1\.38\.2 .*run Envoy 1\.39/),
    expect.stringMatching(/^proxy "old" gets nothing for ".*": .* the caller may not read it$/),
    expect.stringMatching(/^proxy "old" gets nothing for "wasmext\/authn": .*names no target/),
  ]);
});

test("a module that has arrived before the refusal for its lack is not taken for refused", async () => {
  const { put, attach, reader } = createAcme();
  const modules = createFakeModules();
  await put("a", { phase: Phase.AUTHN });
  await attach(redIngress, [{ fqn: ext("a") }]);
  const proxies = proxiesOf(reader, modules, { maxInlineBytes: 0 });
  const session = proxies.connect(anyone);
  session.greet(create(NodeSchema, { id: "web-1" }));
  session.subscribe(authn);
  const first = await session.next();
  const text = Buffer.concat(first?.resource ?? []).toString("latin1");
  const [, secret = "", digest = ""] = /\/modules\/([\w-]+)\/([0-9a-f]{64})/.exec(text) ?? [];
  const fetched = await proxies.module(secret, digest);
  fetched?.done();
  const refusal = `Unable to create Wasm plugin ${ext("a")}`;
  session.settle(first?.nonce ?? "", refusal);
  const again = await session.next();
  expect(again?.version).toBe(first?.version);
  // With the module, it is refused for another reason.
  session.settle(again?.nonce ?? "", refusal);
  const denied = await session.next();
  expect(denied?.version).not.toBe(first?.version);
  expect(proxies.warnings).toHaveLength(1);
  proxies.disconnect(session);
});

test("a proxy fetches the modules of its own chain, as long as it is connected, and no others", async () => {
  const { put, attach, reader } = createAcme();
  const modules = createFakeModules();
  await put("a", { phase: Phase.AUTHN, url: "oci://x/a:1" });
  await put("b", { phase: Phase.AUTHN, url: "oci://x/b:1" });
  await attach(redIngress, [{ fqn: ext("a") }]);
  await attach(blueSecurity, [{ fqn: ext("b") }]);
  const proxies = proxiesOf(reader, modules, { maxInlineBytes: 0 });
  const connected = await Promise.all(
    [authn, slotOf("authn", blueSecurity)].map(async (slot) => {
      const session = proxies.connect(anyone);
      session.greet(create(NodeSchema, { id: "web-1" }));
      session.subscribe(slot);
      const text = Buffer.concat((await session.next())?.resource ?? []).toString("latin1");
      const [, secret = "", digest = ""] = /\/modules\/([\w-]+)\/([0-9a-f]{64})/.exec(text) ?? [];
      return { session, secret, digest };
    }),
  );
  const [own, other] = connected;
  expect(await proxies.module(own?.secret ?? "", own?.digest ?? "")).toBeDefined();
  expect(proxies.module(own?.secret ?? "", other?.digest ?? "")).toBeUndefined();
  expect(proxies.module("x".repeat(22), own?.digest ?? "")).toBeUndefined();
  for (const { session, secret, digest } of connected) {
    proxies.disconnect(session);
    expect(proxies.module(secret, digest)).toBeUndefined();
  }
});
