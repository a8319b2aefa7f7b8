/* The commands that say where extensions run, with Envoys that run them. */
import { beforeEach, describe, expect, inject, test } from "vitest";
import { parse } from "yaml";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { acme, ext, redIngress, redSecurity } from "../support/acme.ts";
import { openAdsClient } from "./support/ads-client.ts";
import { protocols, startProxy } from "./support/proxy.ts";
import { useServing } from "./support/use-serving.ts";

const used = useServing();
const { put } = used;

const proxyOf = (target: string, nodeId: string, ...options: string[]) =>
  startProxy(used.serving, target, {
    upstream: used.upstream,
    options: ["--node-id", nodeId, ...options],
  });

describe("with Envoys", () => {
  beforeEach(async () => {
    await put("a", { phase: Phase.AUTHN });
    await put("b", { phase: Phase.STATS });
    await used.serving.attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("b") }]);
    await used.serving.attach(redSecurity, [{ fqn: ext("b") }]);
  });

  test("proxies, status and chain show what each runs", async () => {
    await using web = await proxyOf(redIngress, "web-1", "--atomic");
    await using other = await proxyOf(redIngress, "web-2");
    await using sidecar = await proxyOf(redSecurity, "sidecar", "--listener", "inbound:8080");
    await Promise.all([web.runs("a", "b"), other.runs("a", "b"), sidecar.runs("b")]);
    const listed = await used.serving.cli("proxies", acme);
    expect(listed.exitCode).toBe(0);
    expect(listed.stdout).toMatch(/^PROXY +VERSION +TARGET/);
    expect(listed.stdout).toMatch(
      /^web-1 +1\.40\.0 +\S+\/in +gateway +AUTHN,AUTHZ,STATS,- +2\/2 /m,
    );
    expect(listed.stdout).toMatch(/^web-2 .* gateway +AUTHN +1\/1 /m);
    expect(listed.stdout).toMatch(/^sidecar .* inbound:8080 +STATS +1\/1 /m);
    const under = await used.serving.cli("proxies", redSecurity, "-o", "json");
    expect(JSON.parse(under.stdout)).toMatchObject([{ nodeId: "sidecar", nodeCluster: "wasmext" }]);

    const ofExtension = await used.serving.cli("status", ext("b"));
    expect(ofExtension.stdout).toMatch(/^\S+\/b runs on 3 of 3 proxies\n/);
    expect(ofExtension.stdout).toMatch(/ingressgateways\/in +\S+\/b +2\/2 +runs on 2 of 2 proxies/);
    const ofTarget = await used.serving.cli("status", redIngress);
    expect(ofTarget.stdout).toMatch(/^\S+\/in runs on 2 of 2 proxies\n/);
    const chain = await used.serving.cli("chain", redIngress);
    expect(chain.stdout).toMatch(/RUNS ON\n1 +AUTHN .* 2\/2\n2 +STATS .* 2\/2\n$/);

    await put("a", { phase: Phase.AUTHN, config: { name: "a", refuse: true } });
    await expect
      .poll(async () => (await used.serving.cli("chain", redIngress)).stdout)
      .toMatch(/RUNS ON\n1 +AUTHN .* 0\/2\n2 +STATS .* 2\/2\n$/);
    // A proxy that has not answered yet does not run it, either.
    await expect
      .poll(async () => (await used.serving.cli("status", ext("a"))).stdout)
      .toMatch(
        /runs on 0 of 2 proxies; web-1: the proxy refuses it.*what ran before its last change goes on running/,
      );
    expect((await used.serving.cli("proxies", redIngress)).stdout).toMatch(
      /^web-1 .* 1\/2 .*refuses it/m,
    );
    await web.envoy.stop();
    await expect
      .poll(async () => (await used.serving.cli("status", ext("b"))).stdout)
      .toContain("runs on 2 of 2 proxies");
  });

  test("wait ends as soon as what was changed runs on all", async () => {
    await using web = await proxyOf(redIngress, "web-1");
    await using other = await proxyOf(redIngress, "web-2", "--atomic");
    await Promise.all([web.runs("a", "b"), other.runs("a", "b")]);
    await put("a", { phase: Phase.AUTHN, config: { name: "a2" } });
    const ran = await used.serving.cli("wait", ext("a"), "--for", "running", "--timeout", "20s");
    expect(ran).toMatchObject({ exitCode: 0, stdout: `${ext("a")} runs on 2 of 2 proxies\n` });
    // What it says is so.
    expect(await web.send()).toMatchObject({ requestChain: ["a2", "b"] });
    expect(await other.send()).toMatchObject({ requestChain: ["a2", "b"] });
  });

  test("wait waits for a refused change to be mended", async () => {
    await using web = await proxyOf(redIngress, "web-1");
    await web.runs("a", "b");
    await put("a", { phase: Phase.AUTHN, config: { name: "bad", refuse: true } });
    const waiting = used.serving.cli("wait", redIngress, "--timeout", "20s");
    await used.serving.logged("refuses what it got");
    await put("a", { phase: Phase.AUTHN, config: { name: "mended" } });
    expect(await waiting).toMatchObject({ exitCode: 0 });
    expect(await web.send()).toMatchObject({ requestChain: ["mended", "b"] });
  });

  test("wait says in the end why it has been in vain", async () => {
    await using web = await proxyOf(redIngress, "web-1");
    await web.runs("a", "b");
    await put("a", { phase: Phase.AUTHN, config: { name: "bad", refuse: true } });
    const ran = await used.serving.cli("wait", ext("a"), "--timeout", "1s");
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toMatch(/not within 1 s: runs on 0 of 1 proxy; web-1: the proxy refuses it/);
  });

  test("wait does not end with proxies that have gone", async () => {
    const ran = await used.serving.cli("wait", ext("a"), "--timeout", "1s");
    expect(ran).toMatchObject({ exitCode: 1 });
    expect(ran.stderr).toContain("no proxy is connected that should run it");
  });

  test.each(protocols)("an Envoy is one proxy, over %s", async (protocol) => {
    await using web = await startProxy(used.serving, redIngress, {
      upstream: used.upstream,
      protocol,
    });
    await web.runs("a", "b");
    const waited = await used.serving.cli("wait", redIngress, "--timeout", "10s");
    expect(waited).toMatchObject({ exitCode: 0, stdout: `${redIngress} runs on 1 of 1 proxy\n` });
    await put("b", { phase: Phase.STATS, config: { name: "b", refuse: true } });
    await expect
      .poll(async () => (await used.serving.cli("status", redIngress)).stdout)
      .toContain("runs on 0 of 1 proxy; in: the proxy refuses it");
    // It has moved to another slot, which may be filled by another stream.
    await put("b", { phase: Phase.AUTHZ, config: { name: "b", refuse: true } });
    await put("a", { phase: Phase.STATS, config: { name: "a" } });
    await web.runs("b", "a");
  });

  test("a listener without a slot for a phase is told of", async () => {
    await using web = await startProxy(used.serving, redIngress, {
      upstream: used.upstream,
      edit: (printed) => {
        const bootstrap = JSON.stringify(parse(printed));
        const [, slot = ""] = /(\{"name":"wasmext\/stats.*?\},)\{"name":"/.exec(bootstrap) ?? [];
        return bootstrap.replace(slot, "");
      },
    });
    await web.runs("a");
    const { stdout } = await used.serving.cli("status", ext("b"));
    expect(stdout).toContain("in: the listener of the proxy has no slot for its phase; add one");
    expect((await used.serving.cli("status", ext("a"))).stdout).toContain("runs on 1 of 1 proxy");
  });

  test("the oldest Envoy runs chains as well", async () => {
    const program = inject("envoyTools").oldestEnvoy;
    await using oldest = await startProxy(used.serving, redIngress, {
      upstream: used.upstream,
      program,
    });
    await oldest.runs("a", "b");
    await put("a", { phase: Phase.AUTHN, config: { name: "a", trap: "configure" } });
    await put("b", { phase: Phase.STATS, config: { name: "b2" } });
    await oldest.runs("a", "b2");
    await put("a", { phase: Phase.AUTHN, config: { name: "a3" } });
    await oldest.runs("a3", "b2");
    expect((await used.serving.cli("proxies", acme)).stdout).toMatch(/^in +1\.39\.3 /m);
  });
});

test.each([
  ["that is too old", 38, ["envoy.wasm.runtime.v8"], "Envoy 1.38.3 has no filter", "1.39 or newer"],
  [
    "without V8",
    40,
    ["envoy.filters.http.filter_chain"],
    "envoy.wasm.runtime.v8",
    "run one that has",
  ],
])("a proxy %s is told so, in the log and in its status", async (_, minor, names, text, remedy) => {
  await put("a");
  await used.serving.attach(redIngress, [{ fqn: ext("a") }]);
  using client = openAdsClient(new URL(used.serving.url).host, {
    nodeId: `old-${minor}`,
    node: {
      user_agent_build_version: { version: { major_number: 1, minor_number: minor, patch: 3 } },
      extensions: names.map((name) => ({ name })),
    },
  });
  client.subscribe(`wasmext/all/gateway/${redIngress}`);
  expect(await used.serving.logged(`"old-${minor}" cannot run extensions`)).toContain(remedy);
  const { stdout } = await used.serving.cli("proxies", redIngress);
  expect(stdout).toMatch(new RegExp(`^old-${minor} .*${text.replaceAll(".", "\\.")}`, "m"));
  const status = await used.serving.cli("status", ext("a"));
  expect(status.stdout).toContain(`runs on 0 of 1 proxy; old-${minor}:`);
  expect(status.stdout).toContain(remedy);
  const ran = await used.serving.cli("wait", ext("a"), "--timeout", "1s");
  expect(ran).toMatchObject({ exitCode: 1 });
  expect(client.received).toEqual([]);
});
