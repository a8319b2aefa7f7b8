import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { LinkState } from "../../gen/wasmext/v1/proxy_pb.ts";
import {
  ListProxiesRequestSchema,
  WatchStatusRequestSchema,
} from "../../gen/wasmext/v1/proxy_service_pb.ts";
import { anyone, type Principal } from "../../src/catalog/access/principal.ts";
import { proxyStatus } from "../../src/methods/proxies.ts";
import { createProxies, type Proxies } from "../../src/xds/proxies.ts";
import { statusOf } from "../../src/xds/rollup.ts";
import { createSentVersions } from "../../src/xds/sent-versions.ts";
import type { ProxySession } from "../../src/xds/session.ts";
import { proxyOf } from "../../src/xds/status.ts";
import { acme, createAcme, ext, redIngress, url } from "../support/acme.ts";
import { createFakeModules } from "../support/fake-modules.ts";
import { proxiesOf } from "../support/proxies.ts";

const notices = { info: () => undefined, warn: () => undefined };
const slotAt = (port: number): string => `wasmext/all/gateway:${port}/${redIngress}`;

/** A target with a thousand attachments. */
async function createLargeTarget() {
  const catalog = createAcme();
  await catalog.put("a", { phase: Phase.AUTHN });
  const attachments = Array.from({ length: 1_000 }, () => ({ fqn: ext("a") }));
  await catalog.attach(redIngress, attachments);
  return { ...catalog, proxies: proxiesOf(catalog.reader, createFakeModules()) };
}

/** Takes and accepts what a proxy is due, until that many answers have come. */
async function accept(session: ProxySession, answers: number): Promise<void> {
  for (let count = 0; count < answers; count++) {
    const answer = await session.next();
    session.settle(answer?.nonce ?? "");
  }
}

test("the status of a proxy with a thousand slots of a target with a thousand attachments takes no long", async () => {
  const { proxies, reader } = await createLargeTarget();
  const session = proxies.connect(anyone);
  session.greet(undefined);
  for (let port = 1; port <= 1_000; port++) {
    session.subscribe(slotAt(port));
  }
  const status = statusOf(proxies, reader.state, anyone, redIngress);
  expect(status).toMatchObject({ proxies: 1, running: 0 });
  expect(status.attachments).toHaveLength(1_000);
  expect(status.attachments[0]?.problems).toHaveLength(10);
});

test("the slots of a proxy have so many plugins together, whether it accepts them or not", async () => {
  const { proxies, reader } = await createLargeTarget();
  const session = proxies.connect(anyone);
  session.greet(undefined);
  for (let port = 1; port <= 22; port++) {
    session.subscribe(slotAt(port));
  }
  const answers = new Set<string | undefined>();
  for (let count = 0; count < 20; count++) {
    answers.add((await session.next())?.name);
  }
  session.finish();
  expect(await session.next()).toBeUndefined();
  const slots = proxyOf(session, acme)?.slots ?? [];
  expect(slots.filter(({ links }) => links.length > 0).map(({ name }) => name)).toEqual([
    ...answers,
  ]);
  expect(slots.at(-1)).toMatchObject({ name: slotAt(22), links: [] });
  expect(slots.at(-1)?.problem).toMatch(/more than 20000 plugins .* several connections/);
  const [first] = statusOf(proxies, reader.state, anyone, redIngress).attachments;
  expect(first?.problems.at(-1)?.state).toBe(LinkState.PENDING);
});

test("a slot gets what it asks for when others leave room for it", async () => {
  const { proxies } = await createLargeTarget();
  const session = proxies.connect(anyone);
  session.greet(undefined);
  for (let port = 1; port <= 21; port++) {
    session.subscribe(slotAt(port));
  }
  await accept(session, 20);
  const next = session.next();
  // The slots that are left have been looked at by then.
  await new Promise(setImmediate);
  session.unsubscribe(slotAt(1));
  expect((await next)?.name).toBe(slotAt(21));
});

test("all plugins of a proxy can be changed at once", async () => {
  const catalog = await createLargeTarget();
  const session = catalog.proxies.connect(anyone);
  session.greet(undefined);
  for (let port = 1; port <= 20; port++) {
    session.subscribe(slotAt(port));
  }
  await accept(session, 20);
  await catalog.put("a", { phase: Phase.AUTHN, config: { changed: true } });
  const answers = [];
  for (let count = 0; count < 20; count++) {
    answers.push(await session.next());
  }
  for (const answer of answers) {
    session.settle(answer?.nonce ?? "");
  }
  const status = statusOf(catalog.proxies, catalog.reader.state, anyone, redIngress);
  expect(status).toMatchObject({ proxies: 1, running: 1 });
});

test("versions are remembered by what their filters take together", () => {
  const filterOf = (key: string) => {
    const rest = { module: undefined, encode: () => ({}) as never };
    return { key, kind: "plugin" as const, hash: key, size: 100, ...rest };
  };
  const sent = createSentVersions({ versions: 10, filters: 10, bytes: 350 });
  const common = filterOf("common");
  ["1", "2", "3"].forEach((version) => {
    sent.set(version, [common, filterOf(version)]);
  });
  expect(sent.get("1")).toBeUndefined();
  expect(sent.get("2")).toHaveLength(2);
  expect(sent.get("3")).toHaveLength(2);
});

test("connections are named so that they do not tell how many others there are", () => {
  const proxies = proxiesOf();
  const [one, two] = [proxies.connect(anyone), proxies.connect(anyone)];
  expect(one.uid.slice(-12)).not.toBe(two.uid.slice(-12));
  expect(one.uid).toMatch(/^[0-9a-f]{24}$/);
});

test("the names that a proxy asks for take so much memory", () => {
  const session = proxiesOf().connect(anyone);
  session.subscribe("x".repeat(1_000_000));
  expect(() => {
    session.subscribe("y".repeat(100_000));
  }).toThrow(/more than 1000 slots/);
  session.unsubscribe("x".repeat(1_000_000));
  session.subscribe("y".repeat(100_000));
  expect(session.names).toHaveLength(1);
});

test("a proxy that has lost a module, or fetches it late, may fetch it again", async () => {
  const catalog = createAcme();
  const modules = createFakeModules();
  const bytes = Buffer.from("a module");
  modules.set(url, bytes);
  await catalog.put("a");
  await catalog.attach(redIngress, [{ fqn: ext("a") }]);
  const reader = catalog.reader;
  const proxies = createProxies({ reader, modules, maxInlineBytes: 1, notices });
  const session = proxies.connect(anyone);
  session.greet(undefined);
  session.subscribe(slotAt(1));
  const refuse = async (): Promise<void> => {
    session.settle((await session.next())?.nonce ?? "", `Unable to create Wasm plugin ${ext("a")}`);
  };
  const fetch = async (): Promise<void> => {
    const digest = createHash("sha256").update(bytes).digest("hex");
    const module = await proxies.module(session.secret, digest);
    expect(module?.bytes).toEqual(bytes);
    module?.done();
  };
  await refuse();
  await fetch();
  // As it is refused again, the proxy has it by now, and something else is wrong; or it has lost it.
  await refuse();
  await accept(session, 1);
  expect(statusOf(proxies, reader.state, anyone, ext("a"))).toMatchObject({ running: 0 });
  await fetch();
  await accept(session, 1);
  expect(statusOf(proxies, reader.state, anyone, ext("a"))).toMatchObject({ running: 1 });
});

test("a thousand watchers of a status cost little more than one", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redIngress, [{ fqn: ext("a") }]);
  let asked = 0;
  const all = proxiesOf(catalog.reader, createFakeModules());
  const proxies: Proxies = {
    ...all,
    of(target) {
      asked++;
      return all.of(target);
    },
  };
  const { watchStatus } = proxyStatus(proxies);
  const call = {
    ...catalog,
    watches: undefined,
    principal: anyone,
    method: "",
    bookmarkIntervalMs: 1,
  };
  const request = create(WatchStatusRequestSchema, { fqn: redIngress });
  const watches = Array.from({ length: 1_000 }, () => watchStatus.handle(request, call));
  const statuses = (): unknown[] =>
    watches.map((watch) => {
      const read = watch.read(() => false);
      return typeof read === "string" ? read : read.message().status?.proxies;
    });
  expect(new Set(statuses())).toEqual(new Set([0]));
  expect(asked).toBe(1);
  const session = all.connect(anyone);
  session.greet(undefined);
  session.subscribe(slotAt(1));
  await session.next();
  expect(new Set(statuses())).toEqual(new Set([1]));
  expect(asked).toBe(2);
});

test("what the slots of a proxy hold of earlier revisions is bounded", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redIngress, [{ fqn: ext("a") }]);
  const proxies = proxiesOf(catalog.reader, createFakeModules());
  const session = proxies.connect(anyone);
  session.greet(undefined);
  const nonces: string[] = [];
  let port = 0;
  for (; port < 30 && nonces.length === port; port++) {
    await catalog.put("a", { config: { text: `${port} ${"x".repeat(4_000_000)}` } });
    session.subscribe(slotAt(port + 1));
    const idle = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
    const answer = await Promise.race([session.next(), idle]);
    if (answer !== undefined) {
      nonces.push(answer.nonce);
    }
  }
  expect(nonces).toHaveLength(16);
  expect(proxyOf(session, acme)?.slots.at(-1)?.problem).toMatch(/too large for one connection/);
});

/** A caller of its own. */
const caller = (name: string): Principal => ({ ...anyone, name });

/** Connects a proxy, which asks for slots. */
function connectWith(proxies: Proxies, principal: Principal, names: readonly string[]) {
  const session = proxies.connect(principal);
  session.greet(undefined);
  names.forEach((name) => {
    session.subscribe(name);
  });
  return session;
}

const numbered = (count: number): number[] =>
  Array.from({ length: count }, (_, index) => index + 1);

test("all proxies of a caller have so many slots together, and take none from other callers", () => {
  const proxies = proxiesOf();
  const [pia, ben] = [caller("pia"), caller("ben")];
  const names = numbered(1_000).map((number) => `x${number}`);
  const sessions = numbered(20).map(() => connectWith(proxies, pia, names));
  expect(() => connectWith(proxies, pia, ["x"])).toThrow(/principal pia .* 20000 slots/);
  connectWith(proxies, ben, ["x"]);
  sessions[0]?.unsubscribe("x1");
  connectWith(proxies, pia, ["x"]);
  expect(() => connectWith(proxies, pia, ["x"])).toThrow(/20000 slots/);
  sessions.forEach((session) => {
    proxies.disconnect(session);
  });
  connectWith(proxies, pia, names);
});

test("all proxies of a caller have so many plugins together, and get more when others go", async () => {
  const { proxies } = await createLargeTarget();
  const pia = caller("pia");
  const connect = (principal: Principal) =>
    connectWith(proxies, principal, numbered(20).map(slotAt));
  const pluginsOf = (session: ProxySession): number =>
    [...session.slots].reduce((sum, { wanted }) => sum + (wanted.links?.length ?? 0), 0);
  const sessions = numbered(50).map(() => connect(pia));
  expect(sessions.map(pluginsOf)).toEqual(sessions.map(() => 20_000));
  const late = connect(pia);
  expect(pluginsOf(late)).toBe(0);
  expect([...late.slots][0]?.wanted.problem).toMatch(
    /the proxies of the caller .* 1000000 plugins/,
  );
  expect(pluginsOf(connect(caller("ben")))).toBe(20_000);
  // It has nothing to get, and gets all as soon as there is room.
  const answer = late.next();
  sessions.slice(0, 1).forEach((session) => {
    proxies.disconnect(session);
  });
  expect(await answer).toBeDefined();
});

test("what the proxies of a caller hold of earlier revisions is bounded", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redIngress, [{ fqn: ext("a") }]);
  const proxies = proxiesOf(catalog.reader, createFakeModules());
  const pia = caller("pia");
  const texts = "x".repeat(4_000_000);
  let answers = 0;
  let last: ProxySession | undefined;
  for (let revision = 0; revision < 70 && answers === revision; revision++) {
    await catalog.put("a", { config: { text: `${revision} ${texts}` } });
    last = connectWith(proxies, pia, [slotAt(1)]);
    const idle = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
    answers += (await Promise.race([last.next(), idle])) === undefined ? 0 : 1;
  }
  expect(answers).toBe(67);
  expect(last && proxyOf(last, acme)?.slots[0]?.problem).toMatch(/all proxies of the caller/);
  const same = connectWith(proxies, caller("ben"), [slotAt(1)]);
  expect(await same.next()).toBeDefined();
});

test("a page of proxies counts their slots, whatever runs in them", async () => {
  const catalog = createAcme();
  await catalog.attach(redIngress, []);
  const proxies = proxiesOf(catalog.reader);
  for (const number of numbered(60)) {
    connectWith(proxies, caller(`pia${Math.floor(number / 20)}`), numbered(1_000).map(slotAt));
  }
  const request = create(ListProxiesRequestSchema, { parent: acme });
  const answer = await proxyStatus(proxies).listProxies.handle(request, {
    ...catalog,
    watches: undefined,
    principal: anyone,
    method: "",
    bookmarkIntervalMs: 1,
    signal: new AbortController().signal,
  });
  const page = answer.message();
  expect(page.proxies).toHaveLength(50);
  expect(page.nextPageToken).not.toBe("");
});

test("the modules on the way to proxies of a caller that do not read are bounded", async () => {
  const catalog = createAcme();
  const modules = createFakeModules();
  await catalog.put("a");
  await catalog.attach(redIngress, [{ fqn: ext("a") }]);
  const proxies = proxiesOf(catalog.reader, modules, { maxInlineBytes: 32_000_000 });
  const pia = caller("pia");
  const sessions: ProxySession[] = [];
  const answered = (session: ProxySession | undefined) =>
    Promise.race([
      session?.next().then((answer) => answer?.name),
      new Promise((resolve) => setTimeout(resolve, 50, "nothing")),
    ]);
  const next = async (number: number): Promise<unknown> => {
    const url = `oci://x/large:${number}`;
    modules.set(url, Buffer.alloc(30_000_000, number));
    await catalog.put("a", { url });
    const session = connectWith(proxies, pia, [slotAt(1)]);
    sessions.push(session);
    return answered(session);
  };
  for (const number of numbered(8)) {
    expect(await next(number)).toBe(slotAt(1));
    // It is not read, whatever the proxy says.
    sessions.at(-1)?.settle("1");
  }
  expect(await next(9)).toBe("nothing");
  const last = sessions.at(-1);
  expect(last && proxyOf(last, acme)?.slots[0]?.problem).toMatch(/too large; make them smaller/);
  const [digest = ""] = [...(last?.slots ?? [])].map(({ wanted }) => {
    const plugin = wanted.links?.[0]?.plugin;
    return typeof plugin === "object" && "module" in plugin ? plugin.module?.digest : "";
  });
  await expect(proxies.module(last?.secret ?? "", digest)).rejects.toThrow(/too many modules/);
  // When one has been read, the other is sent.
  void sessions[0]?.next();
  const fetched = await proxies.module(last?.secret ?? "", digest);
  fetched?.release();
  expect(await answered(connectWith(proxies, pia, [slotAt(2)]))).toBe(slotAt(2));
});
