/* Changes that cross each other: with what is refused, fetched, slow, large, or on its way. */
import { once } from "node:events";
import { rename, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  WasmExtension_PluginPhase as Phase,
  WasmExtension_PullPolicy as PullPolicy,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { LinkEffect as Effect, LinkState } from "../../gen/wasmext/v1/proxy_pb.ts";
import { blue, ext, red, redIngress } from "../support/acme.ts";
import { folderOf } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { cert, key } from "../support/tls.testdata.ts";
import { type Registry, serveRegistry } from "../modules/support/registry.ts";
import { testModule } from "./support/module.ts";
import { type Proxy, startProxy } from "./support/proxy.ts";
import { type Serving, startServing, startServingAs } from "./support/serving.ts";
import { startTraffic } from "./support/traffic.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

const { bytes: chainWasm } = await testModule();

let registry: Registry;
let upstream: Upstream;
let url: string;

beforeAll(async () => {
  upstream = await startUpstream();
  registry = await serveRegistry();
  registry.artifact(chainWasm, "1");
  url = `oci://${registry.host}/acme/auth:1`;
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

type Body = Parameters<Serving["put"]>[1];

/** An extension that adds its name. */
const named = (name: string, more: Body = {}): Body => ({ url, config: { name }, ...more });
const refusing = (name: string, more: Body = {}): Body => ({
  ...named(name, more),
  config: { name, refuse: true },
});
const attached = (...names: string[]) => names.map((name) => ({ fqn: ext(name) }));

/** Resolves when an extension is refused on a proxy, with what becomes of requests. */
async function refusalOf({ clients }: Serving, name: string): Promise<Effect> {
  return eventually(`${name} is refused`, async () => {
    const { status } = await clients.proxies.getStatus({ fqn: ext(name) });
    const problem = status?.attachments[0]?.problems.find(
      ({ state }) => state === LinkState.REJECTED,
    );
    return problem?.effect;
  });
}

describe.each([[[]], [["--atomic"]]])("with slots %j", (options) => {
  let serving: Serving;
  let proxy: Proxy;

  beforeAll(async () => {
    serving = await startServing();
    proxy = await startProxy(serving, redIngress, { upstream, options });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await serving[Symbol.asyncDispose]();
  });

  test("an extension that moves to another phase while it is refused runs on as it was", async () => {
    await serving.put("a", named("a", { phase: Phase.AUTHN }));
    await serving.put("b", named("b", { phase: Phase.AUTHZ }));
    await serving.put("c", named("c", { phase: Phase.STATS }));
    await serving.attach(redIngress, attached("a", "b", "c"));
    await proxy.runs("a", "b", "c");
    await serving.put("a", refusing("bad", { phase: Phase.AUTHN }));
    expect(await refusalOf(serving, "a")).toBe(Effect.LAST_GOOD);
    await proxy.runs("a", "b", "c");
    await serving.put("a", refusing("bad", { phase: Phase.STATS, priority: -1 }));
    await proxy.runs("b", "c", "a");
    await serving.put("a", refusing("bad", { phase: Phase.AUTHZ, priority: -1 }));
    await proxy.runs("b", "a", "c");
    expect(await refusalOf(serving, "a")).toBe(Effect.LAST_GOOD);
    await serving.put("a", named("a2", { phase: Phase.UNSPECIFIED_PHASE }));
    await proxy.runs("b", "c", "a2");
    // It changes and moves at once, and cannot run.
    await serving.put("a", refusing("bad", { phase: Phase.AUTHN }));
    await proxy.runs("a2", "b", "c");
    await serving.put("a", named("a3", { phase: Phase.AUTHN }));
    await proxy.runs("a3", "b", "c");
  });

  test("names that are alike are told apart in refusals", async () => {
    const names = ["waf", "waf-2", "waf-22"];
    for (const name of names) {
      await serving.put(name, named(name, { phase: Phase.AUTHN }));
    }
    const [waf, waf2, waf22] = attached(...names);
    const again = (config: object) => ({ fqn: ext("waf"), config: { name: "waf#2", ...config } });
    const all = [waf, again({}), waf2, waf22].flatMap((one) => one ?? []);
    await serving.attach(redIngress, all);
    await proxy.runs("waf", "waf#2", "waf-2", "waf-22");
    await serving.attach(
      redIngress,
      all.map((one, index) => (index === 1 ? again({ refuse: true, name: "bad" }) : one)),
    );
    await eventually("the second one is refused", async () => {
      const { status } = await serving.clients.proxies.getStatus({ fqn: redIngress });
      return status?.attachments[1]?.problems[0]?.state === LinkState.REJECTED || undefined;
    });
    for (const name of names) {
      await serving.put(name, refusing("bad", { phase: Phase.AUTHN }));
      expect(await refusalOf(serving, name)).toBe(Effect.LAST_GOOD);
      await proxy.runs("waf", "waf#2", "waf-2", "waf-22");
      await serving.put(name, named(`${name}!`, { phase: Phase.AUTHN }));
      const now = names.map((each) => (each === name ? `${name}!` : each));
      await proxy.runs(now[0] ?? "", "waf#2", ...now.slice(1));
      await serving.put(name, named(name, { phase: Phase.AUTHN }));
      await proxy.runs("waf", "waf#2", "waf-2", "waf-22");
    }
    await serving.attach(redIngress, []);
    await proxy.runs();
  });

  test("changes one upon the other end in the last one", async () => {
    await serving.put("a", named("a"));
    await serving.put("b", named("b", { phase: Phase.AUTHN }));
    await serving.attach(redIngress, attached("a", "b"));
    await proxy.runs("b", "a");
    for (let round = 1; round <= 30; round++) {
      const more = { phase: round % 2 === 0 ? Phase.AUTHN : Phase.STATS, priority: round };
      await serving.put("a", round % 3 === 0 ? refusing("bad", more) : named(`a${round}`, more));
      await serving.put("b", named(`b${round}`, { phase: Phase.AUTHN, priority: 15 }));
    }
    await serving.put("a", named("last", { phase: Phase.AUTHN, priority: 31 }));
    await proxy.runs("last", "b30");
    const { exitCode } = await serving.cli("wait", redIngress, "--timeout", "10s");
    expect(exitCode).toBe(0);
  });

  test("refusals fail no request, and none passes half a chain", async () => {
    await serving.put("a", named("a0", { phase: Phase.AUTHN }));
    await serving.put("b", named("b", { phase: Phase.AUTHN, priority: -1 }));
    await serving.attach(redIngress, attached("a", "b"));
    await proxy.runs("a0", "b");
    await using traffic = startTraffic(await proxy.envoy.portOf("wasmext"));
    for (let round = 1; round <= 15; round++) {
      await serving.put("a", refusing("bad", { phase: Phase.AUTHN, priority: round }));
      expect(await refusalOf(serving, "a")).toBe(Effect.LAST_GOOD);
      await serving.put("a", named(`a${round}`, { phase: Phase.AUTHN }));
      await proxy.runs(`a${round}`, "b");
    }
    for (const { status, requestChain } of await traffic.stop()) {
      expect(status).toBe(200);
      expect(requestChain.join()).toMatch(/^a\d+,b$/);
    }
  });

  test("a request that is on its way ends with the chain that it began with", async () => {
    await using held = await startHeldUpstream();
    await serving.put("a", named("a"));
    await serving.put("b", named("b", { phase: Phase.AUTHN }));
    await serving.attach(redIngress, attached("a", "b"));
    await using slow = await startProxy(serving, redIngress, { upstream: held, options });
    await slow.runs("b", "a");
    const underWay = slow.send("/held");
    await held.arrived;
    await serving.put("a", named("a2"));
    await serving.attach(redIngress, attached("a"));
    await slow.runs("a2");
    held.release();
    expect(await underWay).toMatchObject({
      status: 200,
      requestChain: ["b", "a"],
      responseChain: ["a", "b"],
    });
  });
});

/** An upstream that answers the path /held when it is released. */
async function startHeldUpstream() {
  const arrived = Promise.withResolvers<undefined>();
  const released = Promise.withResolvers<undefined>();
  const server = createServer((request, response) => {
    response.setHeader("x-seen-chain", request.headers["x-chain"] ?? "");
    if (request.url === "/held") {
      arrived.resolve(undefined);
      void released.promise.then(() => response.end());
    } else {
      response.end();
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    address: `127.0.0.1:${port}`,
    requests: 0,
    arrived: arrived.promise,
    release: () => {
      released.resolve(undefined);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}

describe("modules", () => {
  test("a listener waits for a slow registry, and opens with what is latest then", async () => {
    await using serving = await startServing();
    const held = Promise.withResolvers<undefined>();
    const asked = Promise.withResolvers<undefined>();
    await using slow = await serveRegistry();
    slow.artifact(chainWasm, "1");
    const passing = new Set<unknown>();
    slow.before = (request, response) => {
      if (passing.has(request)) {
        return false;
      }
      asked.resolve(undefined);
      void held.promise.then(() => {
        passing.add(request);
        const found = slow.content.get((request.url ?? "").replace(/^\/v2\/acme\/auth\//, ""));
        response.writeHead(200, { "content-type": found?.mediaType }).end(found?.bytes);
      });
      return true;
    };
    const slowUrl = `oci://${slow.host}/acme/auth:1`;
    await serving.put("slow", named("slow", { url: slowUrl, phase: Phase.AUTHN }));
    await serving.put("quick", named("quick"));
    await serving.attach(redIngress, attached("slow", "quick"));
    await using proxy = await startProxy(serving, redIngress, { upstream });
    await asked.promise;
    expect(await proxy.envoy.state()).toBe("INITIALIZING");
    const { stdout } = await serving.cli("status", ext("slow"));
    expect(stdout).toContain("its module is being fetched");
    await serving.put("quick", named("quicker"));
    expect(await proxy.envoy.state()).toBe("INITIALIZING");
    held.resolve(undefined);
    const first = await proxy.send();
    expect(first).toMatchObject({ status: 200, requestChain: ["slow", "quicker"] });
  });

  test("a tag that moves is followed with Always, and what it moves to may be bad", async () => {
    await using serving = await startServing("--module-check-interval", "1");
    const tagUrl = `oci://${registry.host}/acme/auth:moving`;
    const digests = async (): Promise<string[]> => {
      const dump = JSON.stringify(await proxy.envoy.configDump("ecds_filters"));
      return [...dump.matchAll(/"inline_bytes":"([^"]*)"/g)].map(([, code = ""]) => code);
    };
    registry.artifact((await testModule("first")).bytes, "moving");
    const more = { url: tagUrl, imagePullPolicy: PullPolicy.Always };
    await serving.put("a", named("a", more));
    await serving.attach(redIngress, attached("a"));
    await using proxy = await startProxy(serving, redIngress, { upstream });
    await proxy.runs("a");
    const [before] = await digests();
    const second = await testModule("second");
    registry.artifact(second.bytes, "moving");
    await expect.poll(digests, { timeout: 10_000 }).toEqual([second.bytes.toString("base64")]);
    expect(before).not.toBe(second.bytes.toString("base64"));
    await proxy.runs("a");
    registry.artifact(Buffer.from("no module"), "moving");
    await serving.logged("NOT_WASM");
    await proxy.runs("a");
    const { stdout } = await serving.cli("status", ext("a"), "-o", "json");
    expect(stdout).toContain('"running": 1');
    registry.artifact((await testModule("third")).bytes, "moving");
    await expect
      .poll(digests, { timeout: 15_000 })
      .toEqual([(await testModule("third")).bytes.toString("base64")]);
    await proxy.runs("a");
  });

  test("file:// modules are those of the proxy", async () => {
    await using serving = await startServing();
    using folder = folderOf({ "chain.wasm": chainWasm });
    const path = join(folder.path, "chain.wasm");
    const target = redIngress;
    await serving.put("good", named("good", { url: `file://${path}`, phase: Phase.AUTHN }));
    await serving.put("bad", named("bad", { url: "file:///nowhere/a.wasm", phase: Phase.AUTHZ }));
    await serving.put(
      "stats",
      named("stats", { url: "file:///nowhere/a.wasm", phase: Phase.STATS }),
    );
    await serving.attach(target, attached("good", "bad", "stats"));
    await using proxy = await startProxy(serving, target, { upstream });
    await proxy.answers("a denial", ({ status }) => status === 503);
    expect(await refusalOf(serving, "bad")).toBe(Effect.DENIED);
    expect(await refusalOf(serving, "stats")).toBe(Effect.LEFT_OUT);
    const { stdout } = await serving.cli("status", ext("bad"));
    expect(stdout).toContain("/nowhere/a.wasm");
    await serving.attach(target, attached("good", "stats"));
    await proxy.runs("good");
    await serving.put("stats", named("stats", { url: `file://${path}`, phase: Phase.STATS }));
    await proxy.runs("good", "stats");
  });

  test.each([[[]], [["--atomic"]]])(
    "several that refusals do not name are found (%j)",
    async (options) => {
      await using serving = await startServing();
      const good: string[] = [];
      const all: string[] = [];
      for (const [phase, name] of [
        [Phase.AUTHN, "authn"],
        [Phase.STATS, "stats"],
      ] as const) {
        for (const number of [1, 2, 3]) {
          const priority = -number;
          const missing = { url: `file:///nowhere/${number}.wasm`, phase, priority };
          await serving.put(
            `good-${name}-${number}`,
            named(`${name}-${number}`, { phase, priority }),
          );
          await serving.put(`bad-${name}-${number}`, named("bad", missing));
          good.push(`${name}-${number}`);
          all.push(`good-${name}-${number}`, `bad-${name}-${number}`);
        }
      }
      const but = (text: string) => attached(...all.filter((name) => !name.startsWith(text)));
      await serving.attach(redIngress, but("bad-authn"));
      await using proxy = await startProxy(serving, redIngress, { upstream, options });
      await proxy.runs(...good);
      await serving.attach(redIngress, but("good"));
      await proxy.answers("a denial", ({ status }) => status === 503);
      for (const name of ["bad-authn-1", "bad-authn-2", "bad-stats-3"]) {
        const isDenied = name.startsWith("bad-authn");
        expect(await refusalOf(serving, name)).toBe(isDenied ? Effect.DENIED : Effect.LEFT_OUT);
      }
      await serving.attach(redIngress, but("bad"));
      await proxy.runs(...good);
    },
  );

  test("are fetched by the proxy over TLS as well", async () => {
    using folder = folderOf({ "tls.crt": cert, "tls.key": key });
    const [certificate, keyFile] = ["tls.crt", "tls.key"].map((name) => join(folder.path, name));
    await using serving = await startServingAs(
      undefined,
      [
        ...["--tls-cert", certificate ?? "", "--tls-key", keyFile ?? ""],
        ...["--max-inline-module-bytes", "100"],
      ],
      certificate,
    );
    await serving.put("a", named("a"));
    await serving.attach(redIngress, attached("a"));
    const options = ["--ca", certificate ?? ""];
    await using proxy = await startProxy(serving, redIngress, { upstream, options });
    await proxy.runs("a");
    const { bytes } = await testModule("over TLS");
    registry.artifact(bytes, "tls");
    await serving.put("a", named("a2", { url: `oci://${registry.host}/acme/auth:tls` }));
    await proxy.runs("a2");
  });

  test.each([
    ["with the configuration", []],
    ["by the proxy", ["--max-inline-module-bytes", "100"]],
  ])("hundreds of attachments with one module that is sent %s", async (_, options) => {
    await using serving = await startServing(...options);
    const count = 150;
    const names = Array.from({ length: count }, (_each, index) => `n${index}`);
    await serving.put("a", named("a", { phase: Phase.AUTHN }));
    await serving.put("bad", refusing("bad", { phase: Phase.AUTHN }));
    const many = (from: readonly string[]) =>
      from.map((name) => ({ fqn: ext("a"), config: { name } }));
    await serving.attach(redIngress, many(names));
    await using proxy = await startProxy(serving, redIngress, { upstream });
    await proxy.runs(...names);
    await serving.attach(redIngress, many(names.toReversed()));
    await proxy.runs(...names.toReversed());
    await serving.attach(redIngress, many(names.slice(0, 3)));
    await proxy.runs("n0", "n1", "n2");
  });

  test.each([4, 8])("a chain of 5 modules of %i MiB each", async (size) => {
    await using serving = await startServing("--max-inline-module-bytes", String(20 * 2 ** 20));
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) {
      const { bytes } = await testModule(`${name}-${size}`, size * 2 ** 20);
      registry.artifact(bytes, `large-${name}`);
      const large = `oci://${registry.host}/acme/auth:large-${name}`;
      await serving.put(name, named(name, { url: large }));
    }
    await serving.attach(redIngress, attached(...names));
    await using proxy = await startProxy(serving, redIngress, { upstream });
    await proxy.runs(...names);
    await serving.put("c", named("c2", { url }));
    await proxy.runs("a", "b", "c2", "d", "e");
  });

  test("new modules that the proxy fetches come one after the other, and none is taken for refused", async () => {
    await using serving = await startServing("--max-inline-module-bytes", "100");
    const more = (index: number) => ({
      url: `oci://${registry.host}/acme/auth:v${index}`,
      phase: Phase.AUTHN,
    });
    for (let index = 0; index <= 40; index++) {
      registry.artifact((await testModule(`version ${index}`)).bytes, `v${index}`);
    }
    await serving.put("a", named("a0", more(0)));
    await serving.put("b", named("b0", more(0)));
    await serving.attach(redIngress, attached("a", "b"));
    await using proxy = await startProxy(serving, redIngress, { upstream });
    await proxy.runs("a0", "b0");
    for (let index = 1; index <= 40; index++) {
      await serving.put("a", named(`a${index}`, more(index)));
      if (index % 2 === 0) {
        await serving.put("b", named(`b${index}`, more(index - 1)));
      }
      await proxy.runs(`a${index}`, `b${index - (index % 2)}`);
    }
    expect(serving.log.filter(({ msg }) => msg.includes("refuses"))).toEqual([]);
  });
});

test("an extension that the tenant may no longer use runs no more", async () => {
  await using serving = await startServing();
  await serving.put("a", named("a", { allowedIn: [red, blue] }));
  await serving.put("b", named("b"));
  await serving.attach(redIngress, attached("b", "a"));
  await using proxy = await startProxy(serving, redIngress, { upstream });
  await proxy.runs("a", "b");
  await serving.put("a", named("a", { allowedIn: [blue] }));
  await proxy.runs("b");
  await serving.put("a", named("a"));
  await serving.attach(redIngress, attached("b", "a"));
  await proxy.runs("a", "b");
});

test("a plugin that traps in a request is denied or passed by its phase, and leaves others alone", async () => {
  await using serving = await startServing();
  await serving.put("good", named("good", { phase: Phase.AUTHZ }));
  await serving.put("bad", named("bad", { phase: Phase.STATS, config: { trap: "request" } }));
  await serving.attach(redIngress, attached("good", "bad"));
  await using proxy = await startProxy(serving, redIngress, { upstream });
  await proxy.runs("good");
  await serving.put("bad", named("bad", { phase: Phase.AUTHN, config: { trap: "request" } }));
  await proxy.answers("a denial", ({ status }) => status === 503);
  await serving.put("bad", named("mended", { phase: Phase.AUTHN }));
  await proxy.runs("mended", "good");
});

test("a listener that is added later has its slots filled, too", async () => {
  await using serving = await startServing();
  const target = `${red}/workspaces/w/gatewaygroups/g/ingressgateways/later`;
  await serving.put("a", named("a", { phase: Phase.AUTHN }));
  await serving.put("b", named("b", { phase: Phase.STATS }));
  await serving.attach(redIngress, attached("a"));
  await serving.attach(target, attached("b", "a"));
  interface Bootstrap {
    dynamic_resources: object;
    static_resources: { listeners: { name: string }[] };
  }
  const listenersOf = (...listeners: object[]): string =>
    JSON.stringify({
      resources: listeners.map((listener) => ({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        ...listener,
      })),
    });
  let own: object = {};
  const edit = (printed: string): string => {
    const bootstrap = parse(printed) as Bootstrap;
    own = bootstrap.static_resources.listeners[0] ?? {};
    const source = { path_config_source: { path: "./listeners.json" }, resource_api_version: "V3" };
    return JSON.stringify({
      ...bootstrap,
      dynamic_resources: { ...bootstrap.dynamic_resources, lds_config: source },
      static_resources: { ...bootstrap.static_resources, listeners: [] },
    });
  };
  const files = { "listeners.json": listenersOf() };
  const flags = ["--drain-time-s", "0"];
  await using proxy = await startProxy(serving, redIngress, { upstream, edit, files, flags });
  await proxy.envoy.live();
  const replace = async (...listeners: object[]): Promise<void> => {
    const { folder } = proxy.envoy;
    await writeFile(join(folder, "next.json"), listenersOf(...listeners));
    await rename(join(folder, "next.json"), join(folder, "listeners.json"));
  };
  await replace(own);
  await proxy.runs("a");
  const text = JSON.stringify(own).replaceAll(redIngress, target);
  const later = { ...(JSON.parse(text) as object), name: "later" };
  await replace(own, later);
  await proxy.listener("later").runs("a", "b");
  await serving.put("a", named("a2", { phase: Phase.AUTHN }));
  await proxy.listener("later").runs("a2", "b");
  await proxy.runs("a2");
  // Another one with slots that are filled already, one of them by what it had before a refusal.
  await serving.put("a", refusing("bad", { phase: Phase.AUTHN }));
  expect(await refusalOf(serving, "a")).toBe(Effect.LAST_GOOD);
  // What the proxy got last is good again a moment after the refusal.
  await expect
    .poll(async () => JSON.stringify(await proxy.envoy.configDump("ecds_filters")))
    .not.toContain("refuse");
  await replace(own, later, { ...later, name: "same" });
  await proxy.listener("same").runs("a2", "b");
  await serving.put("b", named("b2", { phase: Phase.STATS }));
  await proxy.listener("same").runs("a2", "b2");
  await proxy.listener("later").runs("a2", "b2");
  await replace(later);
  const slots = async () => {
    const { proxies } = await serving.clients.proxies.listProxies({ parent: red });
    return proxies.flatMap((each) => each.slots.map((slot) => slot.target));
  };
  await expect.poll(async () => new Set(await slots())).toEqual(new Set([target]));
  expect((await slots()).length).toBe(4);
});
