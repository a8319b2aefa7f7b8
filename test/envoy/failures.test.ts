/* What becomes of requests, of neighbours and of the status when an extension cannot run. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  type AttachmentStatus,
  LinkEffect as Effect,
  LinkState,
} from "../../gen/wasmext/v1/proxy_pb.ts";
import { ext, red } from "../support/acme.ts";
import { serveRegistry } from "../modules/support/registry.ts";
import { testModule } from "./support/module.ts";
import { eventually } from "../support/eventually.ts";
import { type Fault, faultNames, type FaultyHost, serveFaults } from "./support/faults.ts";
import { type Protocol, type Proxy, startProxy } from "./support/proxy.ts";
import { type Serving, startServing } from "./support/serving.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

/** Within what time the status says what is wrong, in ms. */
const promisedMs = 2_000;

/** An answer without an end is given up sooner. */
const small = ["--max-module-bytes", "1000000"];

let host: FaultyHost;
let upstream: Upstream;
let targets = 0;

beforeAll(async () => {
  host = await serveFaults();
  upstream = await startUpstream();
});
afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

const newTarget = (): string =>
  `${red}/workspaces/w/gatewaygroups/g/ingressgateways/in-${++targets}`;

/** An extension that is as it should be, or has a fault. */
function body(name: string, phase: Phase, { url, config }: Partial<Fault> = {}) {
  return { url: url ?? host.goodUrl, phase, config: { name, ...config } };
}

const faultNamed = (name: string): Fault => {
  const found = host.faults.find((fault) => fault.name === name);
  if (found === undefined) {
    throw new Error(`there is no fault ${name}`);
  }
  return found;
};

/** Those of a later change: what becomes bad, and its neighbours. */
const extensions = [
  ["authn", Phase.AUTHN],
  ["stats", Phase.STATS],
  ["next-authn", Phase.AUTHN],
  ["next-stats", Phase.STATS],
] as const;

/** Resolves with what the status says of an attachment when it names a problem, and how long that took. */
async function problemOf(
  { clients }: Serving,
  target: string,
  name: string,
): Promise<NonNullable<AttachmentStatus["problems"][number]>> {
  return eventually(`a problem of ${name}`, async () => {
    const { status } = await clients.proxies.getStatus({ fqn: target });
    const found = status?.attachments.find(({ extension }) => extension === ext(name));
    const [problem] = found?.problems ?? [];
    const isDecided =
      problem?.state === LinkState.MODULE_FAILED || problem?.state === LinkState.REJECTED;
    // What is in its place is there a moment later.
    return isDecided && problem.effect !== Effect.WAITING ? problem : undefined;
  });
}

const stateOf = ({ reason }: Fault): LinkState =>
  reason === "PROXY_REFUSED" ? LinkState.REJECTED : LinkState.MODULE_FAILED;

describe("in a first answer", () => {
  let serving: Serving;

  beforeAll(async () => {
    serving = await startServing(...small);
  });
  afterAll(() => serving[Symbol.asyncDispose]());

  test.each(faultNames)("%s denies in AUTHN, and is left out of STATS", async (name) => {
    const fault = faultNamed(name);
    const target = newTarget();
    const { put, attach } = serving;
    await put("bad-authn", body("bad-authn", Phase.AUTHN, fault));
    await put("bad-stats", body("bad-stats", Phase.STATS, fault));
    await put("authz", body("authz", Phase.AUTHZ));
    await put("stats", body("stats", Phase.STATS));
    const [bad, others] = [
      { fqn: ext("bad-authn") },
      ["authz", "bad-stats", "stats"].map((each) => ({ fqn: ext(each) })),
    ];
    await attach(target, [bad, ...others]);
    await using proxy = await startProxy(serving, target, { upstream });
    await proxy.open();
    const fromMs = performance.now();
    const [authn, stats] = await Promise.all([
      problemOf(serving, target, "bad-authn"),
      problemOf(serving, target, "bad-stats"),
    ]);
    expect(performance.now() - fromMs).toBeLessThan(promisedMs);
    const { reason } = fault;
    const state = stateOf(fault);
    expect(authn).toMatchObject({ state, reason, effect: Effect.DENIED });
    expect(stats).toMatchObject({ state, reason, effect: Effect.LEFT_OUT });
    const { status, body: text } = await proxy.send();
    expect({ status, text }).toEqual({
      status: 503,
      text: "an extension that this service requires is not available\n",
    });
    const { stdout } = await serving.cli("status", ext("bad-authn"));
    expect(stdout).toContain(`runs on 0 of 1 proxy; in-${targets}: ${authn.message}`);

    // Without it, its neighbours run.
    await attach(target, others);
    await proxy.runs("authz", "stats");
    await attach(target, [bad, ...others]);
    await proxy.answers("a denial", ({ status: now }) => now === 503);
    await put("bad-authn", body("bad-authn", Phase.AUTHN));
    await put("bad-stats", body("bad-stats", Phase.STATS));
    await proxy.runs("bad-authn", "authz", "bad-stats", "stats");
    await attach(target, []);
  });
});

describe.each<[string, string[], Protocol]>([
  ["sent with the configuration", [], "delta ADS"],
  ["fetched by the proxy", ["--max-inline-module-bytes", "100"], "delta ADS"],
  ["sent with the configuration", [], "ADS"],
  ["fetched by the proxy", ["--max-inline-module-bytes", "100"], "streams"],
])("in a later change, with modules that are %s %j, over %s", (_, options, protocol) => {
  let serving: Serving;
  let proxy: Proxy;
  let target: string;

  beforeAll(async () => {
    serving = await startServing(...small, ...options);
    target = newTarget();
    for (const [extension, phase] of extensions) {
      await serving.put(extension, body(`${extension}-0`, phase));
    }
    await serving.attach(
      target,
      extensions.map(([extension]) => ({ fqn: ext(extension) })),
    );
    proxy = await startProxy(serving, target, { upstream, protocol });
    await proxy.runs("authn-0", "next-authn-0", "next-stats-0", "stats-0");
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await serving[Symbol.asyncDispose]();
  });

  test.each(faultNames.map((name, index) => [name, index] as const))(
    "%s leaves what ran running, and neighbours change",
    async (name, index) => {
      const fault = faultNamed(name);
      const { put } = serving;
      const of = (extension: string, number: number): string => `${extension}-${number}`;
      // Whatever became of the test before.
      for (const [extension, phase] of extensions) {
        await put(extension, body(of(extension, index), phase));
      }
      await proxy.runs(
        ...["authn", "next-authn", "next-stats", "stats"].map((each) => of(each, index)),
      );
      await put("authn", body("bad", Phase.AUTHN, fault));
      await put("stats", body("bad", Phase.STATS, fault));
      const fromMs = performance.now();
      await put("next-authn", body(of("next-authn", index + 1), Phase.AUTHN));
      await put("next-stats", body(of("next-stats", index + 1), Phase.STATS));
      const problems = await Promise.all([
        problemOf(serving, target, "authn"),
        problemOf(serving, target, "stats"),
      ]);
      expect(performance.now() - fromMs).toBeLessThan(promisedMs);
      const { reason } = fault;
      for (const problem of problems) {
        expect(problem).toMatchObject({ state: stateOf(fault), reason, effect: Effect.LAST_GOOD });
      }
      await proxy.runs(
        ...[of("authn", index), of("next-authn", index + 1)],
        ...[of("next-stats", index + 1), of("stats", index)],
      );
      await put("authn", body(of("authn", index + 1), Phase.AUTHN));
      await put("stats", body(of("stats", index + 1), Phase.STATS));
      await proxy.runs(
        ...["authn", "next-authn", "next-stats", "stats"].map((each) => of(each, index + 1)),
      );
      const { clients } = serving;
      await expect
        .poll(async () => (await clients.proxies.getStatus({ fqn: target })).status)
        .toMatchObject({ proxies: 1, running: 1 });
    },
  );
});

describe.each([
  ["sent with the configuration", []],
  ["fetched by the proxy", ["--max-inline-module-bytes", "100"]],
])("all at once, with modules that are %s", (_, options) => {
  test.each([[[]], [["--atomic"]]])(
    "each is told of, and those between run (%j)",
    async (atomic) => {
      await using serving = await startServing(...small, ...options);
      const target = newTarget();
      const attachments: { fqn: string }[] = [];
      const priorityOf = (index: number): number => -index;
      for (const [index, fault] of host.faults.entries()) {
        const priority = priorityOf(index);
        await serving.put(`bad-${index}`, { ...body("bad", Phase.STATS, fault), priority });
        await serving.put(`good-${index}`, { ...body(`good-${index}`, Phase.STATS), priority });
        attachments.push({ fqn: ext(`bad-${index}`) }, { fqn: ext(`good-${index}`) });
      }
      await serving.attach(target, attachments);
      await using proxy = await startProxy(serving, target, { upstream, options: atomic });
      const good = host.faults.map((_fault, index) => `good-${index}`);
      await proxy.open();
      const fromMs = performance.now();
      const problems = await Promise.all(
        host.faults.map((_fault, index) => problemOf(serving, target, `bad-${index}`)),
      );
      // There are many, and other programs may have had the cores for a while.
      expect(performance.now() - fromMs).toBeLessThan(3 * promisedMs);
      await proxy.runs(...good);
      expect(problems.map(({ reason }) => reason)).toEqual(host.faults.map(({ reason }) => reason));
      for (const [index] of host.faults.entries()) {
        const priority = priorityOf(index);
        await serving.put(`bad-${index}`, { ...body(`mended-${index}`, Phase.STATS), priority });
      }
      await proxy.runs(...good.flatMap((name, index) => [`mended-${index}`, name]));
    },
  );
});

test("a module whose registry comes back is there without a change", async () => {
  await using serving = await startServing();
  await using registry = await serveRegistry();
  registry.artifact((await testModule()).bytes, "1");
  let asked = 0;
  registry.before = (_request, response) => {
    if (asked++ > 0) {
      return false;
    }
    response.writeHead(500).end();
    return true;
  };
  const target = newTarget();
  const url = `oci://${registry.host}/acme/auth:1`;
  await serving.put("late", { ...body("late", Phase.AUTHN), url });
  await serving.attach(target, [{ fqn: ext("late") }]);
  await using proxy = await startProxy(serving, target, { upstream });
  expect(await problemOf(serving, target, "late")).toMatchObject({ reason: "BAD_ANSWER" });
  expect(await proxy.send()).toMatchObject({ status: 503 });
  await proxy.runs("late");
});

test("--on-module-failure changes what becomes of requests", async () => {
  await using serving = await startServing("--on-module-failure", "authn=skip,stats=deny");
  const target = newTarget();
  const fault = faultNamed("a configuration that is refused");
  for (const phase of [Phase.AUTHN, Phase.AUTHZ, Phase.STATS, Phase.UNSPECIFIED_PHASE]) {
    await serving.put(`in-${phase}`, body("bad", phase, fault));
  }
  await serving.put("good", body("good", Phase.AUTHN));
  const attach = (phase: Phase) =>
    serving.attach(target, [{ fqn: ext("good") }, { fqn: ext(`in-${phase}`) }]);
  await attach(Phase.AUTHN);
  await using proxy = await startProxy(serving, target, { upstream });
  await proxy.runs("good");
  await attach(Phase.STATS);
  await proxy.answers("a denial in STATS", ({ status }) => status === 503);
  await attach(Phase.UNSPECIFIED_PHASE);
  await proxy.runs("good");
  await attach(Phase.AUTHZ);
  await proxy.answers("a denial in AUTHZ", ({ status }) => status === 503);
});
