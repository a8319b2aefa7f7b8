/* The means of the tests in this folder do what those tests rely on. */
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { extensionType, openAdsClient } from "./support/ads-client.ts";
import { startAdsServer } from "./support/ads-server.ts";
import { type Envoy, startEnvoy } from "./support/envoy.ts";
import { testModule } from "./support/module.ts";
import { startRegistry } from "./support/registry.ts";
import {
  chainOf,
  chainType,
  listenerName,
  staticBootstrap,
  wasmFilter,
} from "./support/static-bootstrap.ts";
import { send, startTraffic, tally } from "./support/traffic.ts";
import { startUpstream } from "./support/upstream.ts";

const { bytes: chainWasm } = await testModule();
const files = { "chain.wasm": chainWasm };

/** Plugins that add their names. */
function pluginsOf(...names: string[]): object {
  return chainOf(names.map((name) => wasmFilter(name, "chain.wasm", JSON.stringify({ name }))));
}

describe("Envoy", () => {
  test.each(["envoy", "oldestEnvoy"] as const)("%s runs plugins in their order", async (name) => {
    await using upstream = await startUpstream();
    const chain = { name: "chain", typed_config: pluginsOf("a", "b", "c") };
    const bootstrap = staticBootstrap({ upstreamPort: upstream.port, httpFilters: [chain] });
    await using envoy = await startEnvoy(bootstrap, { files, program: inject("envoyTools")[name] });
    await envoy.live();
    const answer = await send(await envoy.portOf(listenerName));
    expect(answer).toMatchObject({
      status: 200,
      requestChain: ["a", "b", "c"],
      responseChain: ["c", "b", "a"],
    });
  });

  test("hands a plugin its configuration as it is", async () => {
    await using upstream = await startUpstream();
    const configuration = '{ "echo": true, "name":"n",  "text": "ü\\u0000" }';
    const filter = wasmFilter("echo", "chain.wasm", configuration);
    const bootstrap = staticBootstrap({ upstreamPort: upstream.port, httpFilters: [filter] });
    await using envoy = await startEnvoy(bootstrap, { files });
    const { headers } = await send(await envoy.portOf(listenerName));
    const echoed = Buffer.from(headers["x-config"] as string, "latin1").toString();
    expect(echoed).toBe(configuration);
  });

  test("says why a plugin is refused", async () => {
    await using upstream = await startUpstream();
    const filter = wasmFilter("bad", "chain.wasm", '{"refuse":true}');
    const bootstrap = staticBootstrap({ upstreamPort: upstream.port, httpFilters: [filter] });
    await expect(startEnvoy(bootstrap, { files })).rejects.toThrow("Unable to create Wasm plugin");
  });

  test("has stats, a configuration dump and a log", async () => {
    await using upstream = await startUpstream();
    const bootstrap = staticBootstrap({ upstreamPort: upstream.port, httpFilters: [] });
    await using envoy = await startEnvoy(bootstrap);
    await envoy.live();
    await send(await envoy.portOf(listenerName));
    const stats = await envoy.stats("^http.in.downstream_rq_completed$");
    expect(stats).toEqual(new Map([["http.in.downstream_rq_completed", "1"]]));
    expect(await envoy.configDump("static_listeners")).toHaveProperty("configs");
    expect(await envoy.logged("starting main dispatch loop")).toContain("[info]");
    expect(await envoy.residentBytes()).toBeGreaterThan(10_000_000);
  });

  test("comes back after it was killed", async () => {
    await using upstream = await startUpstream();
    const bootstrap = staticBootstrap({ upstreamPort: upstream.port, httpFilters: [] });
    await using envoy = await startEnvoy(bootstrap);
    await envoy.live();
    const port = await envoy.portOf(listenerName);
    await envoy.kill();
    expect(await send(port)).toMatchObject({ status: 0 });
    await envoy.start();
    await envoy.live();
    expect(await send(await envoy.portOf(listenerName))).toMatchObject({ status: 200 });
  });
});

describe("traffic", () => {
  test("passes one chain or the other while a chain is replaced", async () => {
    await using upstream = await startUpstream();
    const slot = {
      name: "slot",
      config_discovery: {
        config_source: { path_config_source: { path: "./slot.json" }, resource_api_version: "V3" },
        type_urls: [chainType],
      },
    };
    const bootstrap = staticBootstrap({ upstreamPort: upstream.port, httpFilters: [slot] });
    await using envoy = await startEnvoy(bootstrap, {
      files: { ...files, "slot.json": slotFile("a", "b") },
    });
    await envoy.live();
    await using traffic = startTraffic(await envoy.portOf(listenerName));
    await traffic.next("the first chain", ({ requestChain }) => requestChain.join() === "a,b");
    await replaceSlot(envoy, slotFile("c", "d", "e"));
    await traffic.next("the second chain", ({ requestChain }) => requestChain.join() === "c,d,e");
    expect(Object.keys(tally(await traffic.stop()))).toEqual(["a,b", "c,d,e"]);
  });

  test("counts requests that fail", async () => {
    await using upstream = await startUpstream();
    const bootstrap = staticBootstrap({ upstreamPort: upstream.port, httpFilters: [] });
    await using envoy = await startEnvoy(bootstrap);
    await envoy.live();
    await using traffic = startTraffic(await envoy.portOf(listenerName));
    await traffic.next("an answer", ({ status }) => status === 200);
    await envoy.kill();
    await traffic.next("a failure", ({ status }) => status === 0);
  });

  function slotFile(...names: string[]): string {
    const resource = {
      "@type": extensionType,
      name: "slot",
      typed_config: pluginsOf(...names),
    };
    return JSON.stringify({ version_info: names.join(), resources: [resource] });
  }

  /** Envoy looks at a file again when it is moved into place. */
  async function replaceSlot({ folder }: Envoy, content: string): Promise<void> {
    await writeFile(join(folder, "next.json"), content);
    await rename(join(folder, "next.json"), join(folder, "slot.json"));
  }
});

describe("the test module", () => {
  test("has variants that differ in their bytes and run", async () => {
    const [plain, other, large] = await Promise.all([
      testModule(),
      testModule("other"),
      testModule("large", 300_000),
    ]);
    expect(new Set([plain.sha256, other.sha256, large.sha256]).size).toBe(3);
    expect(large.bytes.length).toBeGreaterThan(300_000);
    await using upstream = await startUpstream();
    const chain = chainOf([
      wasmFilter("other", "other.wasm", '{"name":"other"}'),
      wasmFilter("large", "large.wasm", '{"name":"large"}'),
    ]);
    const slot = { name: "chain", typed_config: chain };
    const bootstrap = staticBootstrap({ upstreamPort: upstream.port, httpFilters: [slot] });
    await using envoy = await startEnvoy(bootstrap, {
      files: { "other.wasm": other.bytes, "large.wasm": large.bytes },
    });
    await envoy.live();
    const { requestChain } = await send(await envoy.portOf(listenerName));
    expect(requestChain).toEqual(["other", "large"]);
  });
});

describe("the registry", () => {
  test("has what was pushed", async () => {
    await using registry = await startRegistry();
    const { bytes } = await testModule();
    const artifact = { repository: "wasm/artifact", tag: "1" };
    const image = { repository: "wasm/image", tag: "1" };
    const pushed = await registry.pushArtifact(artifact, bytes);
    await registry.pushImage(image, bytes);
    await registry.pushImage({ ...image, tag: "oci" }, bytes, "oci");
    const index = { repository: "wasm/image", tag: "index" };
    await registry.pushIndex(index, [
      { reference: image, platform: { os: "linux", architecture: "amd64" } },
    ]);
    const url = `http://${registry.address}/v2`;
    const headers = { accept: "*/*" };
    const found = await fetch(`${url}/wasm/artifact/manifests/1`, { headers });
    expect(found.headers.get("docker-content-digest")).toBe(pushed);
    const { layers } = (await found.json()) as { layers: { digest: string }[] };
    const blob = await fetch(`${url}/wasm/artifact/blobs/${layers[0]?.digest ?? ""}`);
    expect(Buffer.from(await blob.arrayBuffer())).toEqual(bytes);
    const listed = await fetch(`${url}/wasm/image/manifests/index`, { headers });
    expect(await listed.json()).toMatchObject({ manifests: [{ platform: { os: "linux" } }] });
  });
});

describe("the ADS client", () => {
  test("shows its node once, accepts, and refuses what it is told to", async () => {
    using server = await startAdsServer();
    using client = openAdsClient(`127.0.0.1:${server.port}`, {
      nodeId: "web-1",
      metadata: { wasmext: { target: "t" } },
      token: "a",
      refuse: ({ name }) => (name === "bad" ? "it is bad" : undefined),
    });
    client.subscribe("good");
    client.subscribe("bad");
    await client.got("the bad one", ({ name }) => name === "bad");
    await expect.poll(() => server.requests.length).toBe(4);
    expect(server.streams).toMatchObject([{ authorization: "Bearer a" }]);
    const nodes = server.requests.map(({ node }) => node?.id);
    expect(nodes).toEqual(["web-1", undefined, undefined, undefined]);
    const answers = server.requests.filter(({ response_nonce: nonce }) => nonce !== "");
    expect(answers).toMatchObject([
      { response_nonce: "good", error_detail: null },
      { response_nonce: "bad", error_detail: { code: 13, message: "it is bad" } },
    ]);
    server.disconnect();
    expect(await client.ended).toBeUndefined();
  });
});
