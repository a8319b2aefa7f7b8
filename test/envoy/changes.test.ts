/* Changes under load, through a real Envoy and a real server: each request passes an old chain or a new one. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { ext, redIngress } from "../support/acme.ts";
import { type CatalogProcess, startCatalog } from "./support/catalog.ts";
import { startGateway } from "./support/gateway.ts";
import { type ModuleServer, startModuleServer } from "./support/module-server.ts";
import { type Answer, send, startTraffic } from "./support/traffic.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

/** How many changes each test makes. */
const changes = 200;

let upstream: Upstream;
let modules: ModuleServer;
let catalog: CatalogProcess;

beforeAll(async () => {
  upstream = await startUpstream();
  modules = await startModuleServer();
  catalog = await startCatalog();
  // Two of each, with different modules.
  for (const [name, phase] of Object.entries({
    authn: Phase.AUTHN,
    authz: Phase.AUTHZ,
    stats: Phase.STATS,
    last: Phase.UNSPECIFIED_PHASE,
  })) {
    await catalog.put(`${name}-0`, { url: modules.url("even"), phase });
    await catalog.put(`${name}-1`, { url: modules.url("odd"), phase, priority: 1 });
  }
});
afterAll(async () => {
  await catalog[Symbol.asyncDispose]();
  await modules[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

/** Attaches plugins that all say which change they are of; the even ones are others than the odd ones. */
async function change(number: number, names: readonly string[]): Promise<void> {
  const attachments = names.map((name, index) => ({
    fqn: ext(`${name}-${number % 2}`),
    config: { name: `${number}:${name}:${index}` },
  }));
  await catalog.attach(redIngress, attachments);
}

/** The changes that a request has seen; one that saw all of one change has seen one. */
function changesIn({ requestChain, responseChain }: Answer): string[] {
  return [...new Set([...requestChain, ...responseChain].map((name) => name.split(":")[0] ?? ""))];
}

/** Some of one phase, between two and four of them. */
const ofOnePhase = (number: number): string[] => Array<string>(2 + (number % 3)).fill("authn");
const ofAllPhases = (number: number): string[] => [
  ...["authn", "authn", "authz", "stats"].slice(number % 2),
  "last",
];

test.each([
  ["several plugins of a phase", ofOnePhase, []],
  ["the plugins of all phases in one slot", ofAllPhases, ["--atomic"]],
] as const)("no request fails or sees half a change of %s", async (_, namesOf, options) => {
  await using envoy = await startGateway({
    server: catalog.url,
    upstream: upstream.address,
    options,
  });
  await change(0, namesOf(0));
  await expect.poll(async () => changesIn(await send(envoy.listenPort))).toEqual(["0"]);
  await using first = startTraffic(envoy.listenPort, { clients: 2, pauseMs: 3 });
  await using second = startTraffic(envoy.listenPort, { clients: 2, pauseMs: 3, version: "2" });
  const isSeen = (number: number) => (answer: Answer) => changesIn(answer).join() === `${number}`;
  for (let number = 1; number <= changes; number++) {
    await change(number, namesOf(number));
    // Every other change follows at once on the one before it.
    if (number % 2 === 0) {
      await first.next(`change ${number}`, isSeen(number));
    }
  }
  await second.next("the last change over HTTP/2", isSeen(changes));
  const answers = [...(await first.stop()), ...(await second.stop())];
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  expect(answers.filter((answer) => changesIn(answer).length !== 1)).toEqual([]);
  const lengths = answers.map(({ requestChain }) => requestChain.length);
  const expected = answers.map((answer) => namesOf(Number(changesIn(answer)[0])).length);
  expect(lengths).toEqual(expected);
  const seen = new Set(answers.flatMap(changesIn));
  expect(seen.size).toBeGreaterThan(changes / 2);
  expect(answers.length).toBeGreaterThan(changes * 2);
});
