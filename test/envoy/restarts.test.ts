/* Servers, stores, registries and proxies that go away and come back: what runs goes on running. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { LinkState } from "../../gen/wasmext/v1/proxy_pb.ts";
import { startEtcd } from "../etcd/support/etcd.ts";
import { freePorts } from "../etcd/support/free-ports.ts";
import { acme, ext, red, redIngress } from "../support/acme.ts";
import { folderOf } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { audience, issuer, keySetOf, makeKey, sign } from "../support/issuer.ts";
import { openBalancer } from "./support/balancer.ts";
import { type CatalogProcess, startCatalog } from "./support/catalog.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";
import { type ModuleServer, startModuleServer } from "./support/module-server.ts";
import { type Answer, startTraffic, tally, type Traffic } from "./support/traffic.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

/** Within what time all is right again, in ms. */
const promisedMs = 5_000;

let upstream: Upstream;
let modules: ModuleServer;

beforeAll(async () => {
  upstream = await startUpstream();
  modules = await startModuleServer();
});
afterAll(async () => {
  await modules[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

/** Has one plugin run in AUTHN, which adds a name, and one in STATS. */
async function apply(catalog: CatalogProcess, name: string): Promise<void> {
  await catalog.put("guard", { url: modules.url("guard"), phase: Phase.AUTHN });
  await catalog.put("count", { url: modules.url("count"), phase: Phase.STATS });
  await change(catalog, name);
}

/** Changes the names. */
async function change(catalog: CatalogProcess, name: string, more: object = {}): Promise<void> {
  await catalog.attach(redIngress, [
    { fqn: ext("guard"), config: { name: `guard-${name}`, ...more } },
    { fqn: ext("count"), config: { name: `count-${name}` } },
  ]);
}

function chainOf(name: string): string {
  return `guard-${name},count-${name}`;
}

const runs =
  (chain: string) =>
  ({ status, requestChain }: Answer): boolean =>
    status === 200 && requestChain.join() === chain;

/** Resolves when requests pass a chain, which has to be soon. */
async function isRightAgain(traffic: Traffic, chain: string): Promise<void> {
  const fromMs = performance.now();
  const answer = await traffic.next(`a request that passes ${chain}`, runs(chain));
  expect(answer.endedMs - fromMs).toBeLessThan(promisedMs);
}

/** Stops traffic; each request passed one of some chains, in one phase or in both. */
async function expectOnly(traffic: Traffic, ...names: string[]): Promise<void> {
  const chains = names.flatMap((one) => names.map((other) => `guard-${one},count-${other}`));
  const others = Object.keys(tally(await traffic.stop())).filter((key) => !chains.includes(key));
  expect(others).toEqual([]);
}

/** Resolves when a server knows a proxy. */
function connected(catalog: CatalogProcess): Promise<true> {
  return eventually("a proxy", async () => {
    const { proxies } = await catalog.proxies.listProxies({ parent: acme });
    return proxies.length > 0 || undefined;
  });
}

/** Resolves when an extension has a problem on the proxy. */
function hasProblem(catalog: CatalogProcess, state: LinkState): Promise<true> {
  return eventually("a problem", async () => {
    const { status } = await catalog.proxies.getStatus({ fqn: redIngress });
    const problems = status?.attachments.flatMap((attachment) => attachment.problems) ?? [];
    return problems.some((problem) => problem.state === state) || undefined;
  });
}

function gatewayOf(catalog: { readonly url: string }): Promise<Gateway> {
  return startGateway({ server: catalog.url, upstream: upstream.address });
}

describe("a server that is killed and comes back", () => {
  test.each([
    ["a file", ["--store", "sqlite:FOLDER/catalog.db"], change],
    ["memory, to which all is applied again", ["--store", "memory"], apply],
  ])("with a store in %s", async (_, flags, applyAgain) => {
    await using catalog = await startCatalog({ flags });
    await apply(catalog, "1");
    await using envoy = await gatewayOf(catalog);
    await using traffic = startTraffic(envoy.listenPort, { clients: 2 });
    await traffic.next("the chain", runs(chainOf("1")));
    await catalog.kill();
    await traffic.next("the chain without a server", runs(chainOf("1")));
    await catalog.start();
    await connected(catalog);
    await traffic.next("the chain with a new server", runs(chainOf("1")));
    await applyAgain(catalog, "2");
    await isRightAgain(traffic, chainOf("2"));
    await expectOnly(traffic, "1", "2");
  });

  test("while a plugin is refused", async () => {
    await using catalog = await startCatalog({ flags: ["--store", "sqlite:FOLDER/catalog.db"] });
    await apply(catalog, "1");
    await using envoy = await gatewayOf(catalog);
    await using traffic = startTraffic(envoy.listenPort, { clients: 2 });
    await traffic.next("the chain", runs(chainOf("1")));
    await change(catalog, "2", { refuse: true });
    await traffic.next("the change of its neighbour", runs("guard-1,count-2"));
    await hasProblem(catalog, LinkState.REJECTED);
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await catalog.kill(signal);
      await catalog.start();
      await hasProblem(catalog, LinkState.REJECTED);
      await traffic.next("what was good", runs("guard-1,count-2"));
    }
    await change(catalog, "3");
    await isRightAgain(traffic, chainOf("3"));
    await expectOnly(traffic, "1", "2", "3");
  });

  test("with an empty cache, while modules cannot be fetched", async () => {
    await using catalog = await startCatalog({ flags: ["--store", "sqlite:FOLDER/catalog.db"] });
    await apply(catalog, "1");
    await using envoy = await gatewayOf(catalog);
    await using traffic = startTraffic(envoy.listenPort, { clients: 2 });
    await traffic.next("the chain", runs(chainOf("1")));
    await catalog.kill();
    await rm(join(catalog.folder, "modules"), { recursive: true });
    modules.isDown = true;
    await catalog.start();
    await hasProblem(catalog, LinkState.MODULE_FAILED);
    await change(catalog, "2");
    await hasProblem(catalog, LinkState.MODULE_FAILED);
    await traffic.next("what was good", runs(chainOf("1")));
    modules.isDown = false;
    await isRightAgain(traffic, chainOf("2"));
    await expectOnly(traffic, "1", "2");
  });
});

test("two servers on three nodes of etcd: the leader is killed, then a server", async () => {
  await using etcd = await startEtcd({ nodes: 3 });
  const flags = ["--store", `etcd:${etcd.urls.join(",")}`];
  await using first = await startCatalog({ flags });
  await using second = await startCatalog({ flags });
  await using balancer = await openBalancer(first.port, second.port);
  await apply(second, "1");
  await using envoy = await gatewayOf(balancer);
  await using traffic = startTraffic(envoy.listenPort, { clients: 2 });
  await traffic.next("the chain", runs(chainOf("1")));
  await (await etcd.leader()).kill();
  const fromMs = performance.now();
  // Writes are refused until there is a new leader.
  await eventually("a write", () =>
    change(second, "2").then(
      () => true,
      () => undefined,
    ),
  );
  await traffic.next("the change without the leader", runs(chainOf("2")));
  expect(performance.now() - fromMs).toBeLessThan(promisedMs);
  await first.kill();
  await change(second, "3");
  await isRightAgain(traffic, chainOf("3"));
  await expectOnly(traffic, "1", "2", "3");
});

test("a proxy that is killed and comes back opens its port with the chain", async () => {
  await using catalog = await startCatalog();
  await apply(catalog, "1");
  const [port = 0] = await freePorts(1);
  await using envoy = await startGateway({
    server: catalog.url,
    upstream: upstream.address,
    port,
  });
  await using traffic = startTraffic(port, { clients: 2 });
  await traffic.next("the chain", runs(chainOf("1")));
  await envoy.kill();
  await change(catalog, "2");
  await traffic.next("a request that fails", ({ status }) => status === 0);
  await envoy.start();
  await isRightAgain(traffic, chainOf("2"));
  const answers = await traffic.stop();
  const chains = Object.keys(tally(answers.filter(({ status }) => status !== 0)));
  expect(chains).toEqual([chainOf("1"), chainOf("2")]);
});

test("a token that expires: the proxy goes on, and a new one in its file is used", async () => {
  const key = await makeKey("one");
  using folder = folderOf({ "keys.json": keySetOf(key), token: "" });
  const grants = (resource: string, ...permissions: string[]) => ({
    wasmext: { grants: [{ resource, permissions }] },
  });
  const admin = await sign(key, grants("organizations", "READ", "CREATE", "WRITE", "DELETE"));
  const rules = ["--jwks", join(folder.path, "keys.json"), "--issuer", issuer];
  await using catalog = await startCatalog({
    flags: ["--auth", "jwt", ...rules, "--audience", audience, "--clock-skew", "0"],
    token: admin,
  });
  await apply(catalog, "1");
  const file = join(folder.path, "token");
  const renew = async (seconds: number): Promise<number> => {
    const exp = Math.floor(Date.now() / 1000) + seconds;
    await writeFile(file, await sign(key, { ...grants(red, "READ"), sub: "web-1", exp }));
    return exp * 1000;
  };
  const expiresAt = await renew(3);
  await using envoy = await startGateway({
    server: catalog.url,
    upstream: upstream.address,
    options: ["--token-file", file],
  });
  await using traffic = startTraffic(envoy.listenPort, { clients: 2 });
  await traffic.next("the chain", runs(chainOf("1")));
  await eventually("a stream that ended", async () => {
    const { proxies } = await catalog.proxies.listProxies({ parent: acme });
    return proxies.length === 0 || undefined;
  });
  expect(Date.now()).toBeGreaterThanOrEqual(expiresAt);
  await change(catalog, "2");
  await traffic.next("the chain without a token", runs(chainOf("1")));
  await renew(600);
  await isRightAgain(traffic, chainOf("2"));
  await expectOnly(traffic, "1", "2");
});
