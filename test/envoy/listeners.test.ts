/* What runs at a listener: by its direction and port, in several listeners of one Envoy, and as targets change. */
import { beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WorkloadMode as Mode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { ext, redEgress, redIngress, redSecurity } from "../support/acme.ts";
import { startProxy } from "./support/proxy.ts";
import { useServing } from "./support/use-serving.ts";

const used = useServing();
const { put } = used;

interface Listener {
  readonly name: string;
}

/** Gives a bootstrap more listeners: copies of its own under other names, with text replaced. */
function withListeners(...copies: readonly (readonly [string, string, string])[]) {
  return (printed: string): string => {
    const bootstrap = parse(printed) as { static_resources: { listeners: Listener[] } };
    const { listeners } = bootstrap.static_resources;
    const [own = { name: "" }] = listeners;
    for (const [name, from, to] of copies) {
      const text = JSON.stringify(own).replaceAll(from, to);
      listeners.push({ ...(JSON.parse(text) as Listener), name });
    }
    return JSON.stringify(bootstrap);
  };
}

describe("the direction and the port of a listener", () => {
  const match = (mode: Mode, ...ports: number[]) => ({
    match: [{ mode, ports: ports.map((number) => ({ number })) }],
  });

  beforeEach(async () => {
    for (const name of ["any", "client", "server", "both", "p8080", "server-8080", "client-443"]) {
      await put(name);
    }
    // The extension's own mode, which no attachment overrides.
    await put("own-server", { match: { mode: Mode.SERVER } });
  });

  test("select what runs in a workload", async () => {
    await used.serving.attach(redSecurity, [
      { fqn: ext("any") },
      { fqn: ext("both"), ...match(Mode.CLIENT_AND_SERVER) },
      { fqn: ext("client"), ...match(Mode.CLIENT) },
      { fqn: ext("client-443"), ...match(Mode.CLIENT, 443) },
      { fqn: ext("own-server") },
      { fqn: ext("p8080"), ...match(Mode.UNDEFINED, 8080, 8081) },
      { fqn: ext("server"), ...match(Mode.SERVER) },
      { fqn: ext("server-8080"), ...match(Mode.SERVER, 8080) },
    ]);
    await using proxy = await startProxy(used.serving, redSecurity, {
      upstream: used.upstream,
      options: ["--listener", "inbound:8080"],
      edit: withListeners(
        ["in", "inbound:8080", "inbound"],
        ["in-443", "inbound:8080", "inbound:443"],
        ["out", "inbound:8080", "outbound"],
        ["out-443", "inbound:8080", "outbound:443"],
      ),
    });
    await proxy.runs("any", "both", "own-server", "p8080", "server", "server-8080");
    // Without a port, a listener has traffic of any port.
    await proxy.listener("in").runs("any", "both", "own-server", "p8080", "server", "server-8080");
    await proxy.listener("in-443").runs("any", "both", "own-server", "server");
    await proxy.listener("out").runs("any", "both", "client", "client-443", "p8080");
    await proxy.listener("out-443").runs("any", "both", "client", "client-443");
  });

  test.each([
    ["an ingress gateway", redIngress],
    ["an egress gateway", redEgress],
  ])("select what runs in %s", async (_, target) => {
    await used.serving.attach(target, [
      { fqn: ext("any") },
      { fqn: ext("client"), ...match(Mode.CLIENT) },
      { fqn: ext("client-443"), ...match(Mode.CLIENT, 443) },
      { fqn: ext("own-server") },
      { fqn: ext("p8080"), ...match(Mode.UNDEFINED, 8080) },
    ]);
    await using proxy = await startProxy(used.serving, target, {
      upstream: used.upstream,
      options: ["--listener", "gateway:443", "--atomic"],
      edit: withListeners(
        ["any", "gateway:443", "gateway"],
        ["inbound", "gateway:443", "inbound:443"],
      ),
    });
    await proxy.runs("any", "client", "client-443");
    await proxy.listener("any").runs("any", "client", "client-443", "p8080");
    // Nothing that comes in is of a gateway.
    expect(await proxy.listener("inbound").send()).toMatchObject({ status: 503 });
    expect(await used.serving.logged("no inbound traffic")).toContain("write gateway");
    const { stdout } = await used.serving.cli("chain", target);
    expect(stdout).toMatch(/p8080 .* 1\/1/);
    await used.serving.attach(target, []);
  });
});

describe("listeners of one Envoy", () => {
  test("with the same slots change alike, and are one in the status", async () => {
    await put("a", { phase: Phase.AUTHN });
    await put("b", { phase: Phase.STATS });
    await used.serving.attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("b") }]);
    const edit = withListeners(["second", "nothing to replace", ""]);
    await using proxy = await startProxy(used.serving, redIngress, {
      upstream: used.upstream,
      edit,
    });
    const second = proxy.listener("second");
    await Promise.all([proxy.runs("a", "b"), second.runs("a", "b")]);
    await put("a", { phase: Phase.AUTHN, config: { name: "a2" } });
    await Promise.all([proxy.runs("a2", "b"), second.runs("a2", "b")]);
    await put("a", { phase: Phase.AUTHN, config: { name: "a3", refuse: true } });
    await put("b", { phase: Phase.STATS, config: { name: "b3" } });
    await Promise.all([proxy.runs("a2", "b3"), second.runs("a2", "b3")]);
    await put("a", { phase: Phase.AUTHN, config: { name: "a4" } });
    await Promise.all([proxy.runs("a4", "b3"), second.runs("a4", "b3")]);
    const { proxies } = await used.serving.clients.proxies.listProxies({ parent: redIngress });
    expect(proxies).toHaveLength(1);
    expect(proxies[0]?.slots).toHaveLength(4);
  });

  test("of two targets get each its own", async () => {
    await put("a", { config: { name: "a" } });
    await put("b", { config: { name: "b" } });
    await used.serving.attach(redIngress, [{ fqn: ext("a") }]);
    await used.serving.attach(redEgress, [{ fqn: ext("b") }, { fqn: ext("a") }]);
    const edit = withListeners(["egress", redIngress, redEgress]);
    await using proxy = await startProxy(used.serving, redIngress, {
      upstream: used.upstream,
      edit,
    });
    await proxy.runs("a");
    await proxy.listener("egress").runs("a", "b");
    await put("a", { config: { name: "a", refuse: true } });
    await put("b", { config: { name: "b2" } });
    await proxy.listener("egress").runs("a", "b2");
    await proxy.runs("a");
  });
});

describe("short names", () => {
  const short = (metadata: object) => (printed: string) => {
    const text = printed
      .replaceAll(`/gateway/${redIngress}`, "")
      .replaceAll(`/inbound:8080/${redSecurity}`, "");
    const bootstrap = parse(text) as { node: object };
    return JSON.stringify({
      ...bootstrap,
      node: { ...bootstrap.node, metadata: { wasmext: metadata } },
    });
  };

  test("take target and listener from the metadata of the node", async () => {
    await put("s", { match: { mode: Mode.SERVER } });
    await put("c", { match: { mode: Mode.CLIENT } });
    await used.serving.attach(redSecurity, [{ fqn: ext("c") }, { fqn: ext("s") }]);
    await using proxy = await startProxy(used.serving, redSecurity, {
      upstream: used.upstream,
      options: ["--listener", "inbound:8080"],
      edit: short({ target: redSecurity, listener: "inbound:8080" }),
    });
    await proxy.runs("s");
  });

  test("deny where nothing says a target, and the log tells of it", async () => {
    await using proxy = await startProxy(used.serving, redIngress, {
      upstream: used.upstream,
      edit: short({}),
    });
    expect(await proxy.send()).toMatchObject({ status: 503 });
    expect(await used.serving.logged("node.metadata.wasmext.target")).toContain("wasmext/authn");
  });
});

test("a target whose attachments are deleted and made again runs none, and then the new ones", async () => {
  await put("a");
  await put("b");
  await used.serving.attach(redIngress, [{ fqn: ext("a") }]);
  await using proxy = await startProxy(used.serving, redIngress, { upstream: used.upstream });
  await proxy.runs("a");
  for (const name of ["b", "a"]) {
    await used.serving.clients.attachments.deleteAttachments({ fqn: redIngress });
    await proxy.runs();
    await used.serving.attach(redIngress, [{ fqn: ext(name) }]);
    await proxy.runs(name);
  }
  // An extension that is deleted takes its attachments along, and does not come back by itself.
  await used.serving.remove("a");
  await proxy.runs();
  await put("a");
  await used.serving.attach(redIngress, [{ fqn: ext("b") }, { fqn: ext("a") }]);
  await proxy.runs("a", "b");
});
