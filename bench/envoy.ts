/*
 * What Envoys cost: the time from a change to its effect at a request through an Envoy, to that of a bare push
 * of the same bytes; and 200 light proxies beside 5 Envoys: memory, pushes a second, one commit to all.
 *
 * `node bench/envoy.ts --proxies 50 --changes 20` makes less of it. Envoy is installed as for the tests.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type Clients, createClients } from "../src/cli/clients.ts";
import { installNewestEnvoy } from "../test/envoy/support/install.ts";
import { type Gateway, startGateway } from "../test/envoy/support/gateway.ts";
import { startModuleServer } from "../test/envoy/support/module-server.ts";
import { send } from "../test/envoy/support/traffic.ts";
import { acme, ext, redIngress } from "../test/support/acme.ts";
import { figures } from "./envoy/figures.ts";
import { type LightProxy, openLightProxy } from "./envoy/light-proxy.ts";
import { median, print } from "./measure.ts";
import { createInspected } from "./peers/inspector.ts";
import { startProcess } from "./server-process.ts";
import { thisCheckout } from "./checkouts.ts";

const { values } = parseArgs({
  options: {
    proxies: { type: "string", default: "200" },
    envoys: { type: "string", default: "5" },
    changes: { type: "string", default: "200" },
    root: { type: "string", default: thisCheckout },
  },
});
const counts = {
  proxies: Number(values.proxies),
  envoys: Number(values.envoys),
  changes: Number(values.changes),
};

const slot = `wasmext/all/gateway/${redIngress}`;
const program = await installNewestEnvoy();
const folder = mkdtempSync(join(tmpdir(), "wasmext-bench-"));
await using modules = await startModuleServer();

/** A server in a process of its own, and what is done with it. */
async function startServer() {
  const inspected = await createInspected();
  const serve = ["serve", "--port", "0", "--log-level", "silent", "--module-cache", folder];
  const options = ["--allow-module-network", "127.0.0.0/8"];
  const main = join(values.root, "src/main.ts");
  const server = await startProcess([main, ...serve, ...options], "ignore", inspected.environment);
  const sessionManager = new Http2SessionManager(server.url);
  const transport = createGrpcTransport({ baseUrl: server.url, sessionManager });
  const clients: Clients = createClients(transport);
  let etag = "";
  return {
    server,
    inspected,
    /** Makes an extension of a module with some bytes more than the test module has. */
    async put(name: string, padding: number): Promise<void> {
      const wasmExtension = { url: modules.url(name, padding) };
      await clients.extensions.createWasmExtension({ parent: acme, name, wasmExtension });
    },
    /** Has a plugin add a name; resolves when the write is answered. */
    async change(extension: string, name: string): Promise<void> {
      const { attachmentSet } = await clients.attachments.setAttachments({
        attachmentSet: {
          fqn: redIngress,
          extension: [{ fqn: ext(extension), config: { name } }],
          etag,
        },
      });
      etag = attachmentSet?.etag ?? "";
    },
    async stop(): Promise<void> {
      sessionManager.abort();
      await server.stop();
    },
  };
}

type Server = Awaited<ReturnType<typeof startServer>>;

/** Starts an Envoy with the slot of all phases, which answers requests itself. */
function startEnvoy(url: string): Promise<Gateway> {
  return startGateway({ server: url, options: ["--atomic"], program });
}

/** Sends one request after the other until one has passed a plugin; resolves with when it ended. */
async function effectOf(envoy: Gateway, agent: Agent, name: string): Promise<number> {
  for (;;) {
    const { responseChain, endedMs } = await send(envoy.listenPort, "/", agent);
    if (responseChain.join() === name) {
      return endedMs;
    }
  }
}

function percentile(of: readonly number[], part: number): number {
  return of.toSorted((a, b) => a - b)[Math.min(of.length - 1, Math.floor(of.length * part))] ?? NaN;
}

/** How many changes come before those that are measured. */
const warmUp = 50;

/** The time from a change to its effect, to that of a bare push, in turn. */
async function measureEffect(title: string, padding: number, changes: number): Promise<void> {
  const server = await startServer();
  await server.put("one", padding);
  await server.change("one", "0");
  const recorder = openLightProxy(server.server.url, "recorder", slot, () => undefined, true);
  const envoy = await startEnvoy(server.server.url);
  while (recorder.answers === 0) {
    await new Promise(setImmediate);
  }
  const bare = fork(new URL("envoy/bare-server.ts", import.meta.url), {
    serialization: "advanced",
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const load = async (): Promise<void> => {
    bare.send(recorder.latest);
    await once(bare, "message");
  };
  if (bare.stdout === null) {
    throw new TypeError("the process has no standard output");
  }
  const [bareUrl] = (await once(createInterface(bare.stdout), "line")) as [string];
  await load();
  const other = await startEnvoy(bareUrl);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const measured: { sent: number; answered: number; bare: number }[] = [];
  for (let index = 1; index <= changes + warmUp; index++) {
    const name = String(index);
    const seen = recorder.answers;
    const sentAt = performance.now();
    const effect = effectOf(envoy, agent, name);
    await server.change("one", name);
    const answeredAt = performance.now();
    const effectAt = await effect;
    while (recorder.answers === seen) {
      await new Promise(setImmediate);
    }
    await load();
    const pushedAt = performance.now();
    const bareEffect = effectOf(other, agent, name);
    bare.send("push");
    const bareEffectAt = await bareEffect;
    if (index > warmUp) {
      measured.push({
        sent: effectAt - sentAt,
        answered: Math.max(0, effectAt - answeredAt),
        bare: bareEffectAt - pushedAt,
      });
    }
  }
  const show = (name: string, of: (one: (typeof measured)[number]) => number): void => {
    const all = measured.map(of);
    const [p50, p99] = [percentile(all, 0.5), percentile(all, 0.99)];
    print(`  ${name}`, `${p50.toFixed(1)} ${p99.toFixed(1)}`);
  };
  print(`${title}: ${changes} changes`, "");
  show(figures.sent, ({ sent }) => sent);
  show(figures.answered, ({ answered }) => answered);
  show(figures.bare, (one) => one.bare);
  const ratio = (part: number): string =>
    (
      percentile(
        measured.map(({ sent }) => sent),
        part,
      ) /
      percentile(
        measured.map((one) => one.bare),
        part,
      )
    ).toFixed(2);
  print(`  ${figures.ratio}`, `${ratio(0.5)} ${ratio(0.99)}`);
  agent.destroy();
  recorder.close();
  bare.disconnect();
  await other[Symbol.asyncDispose]();
  await envoy[Symbol.asyncDispose]();
  await server.stop();
}

/** Many proxies beside some Envoys. */
async function measureMany(title: string, padding: number, commits: number): Promise<void> {
  const server = await startServer();
  await server.put("one", padding);
  await server.change("one", "0");
  let accepted = 0;
  let wanted = Infinity;
  let all = Promise.withResolvers<undefined>();
  const onAnswer = (): void => {
    accepted++;
    if (accepted === wanted) {
      all.resolve(undefined);
    }
  };
  const expect = (count: number): Promise<undefined> => {
    accepted = 0;
    wanted = count;
    all = Promise.withResolvers();
    return all.promise;
  };
  const open = (count: number, from: number): LightProxy[] =>
    Array.from({ length: count }, (_, index) =>
      openLightProxy(server.server.url, `light-${from + index}`, slot, onAnswer),
    );
  // What code and caches take is there after the first ones.
  let ready = expect(5);
  const proxies = open(5, 0);
  await ready;
  const held = await heldBy(server);
  ready = expect(counts.proxies);
  const connectedAt = performance.now();
  proxies.push(...open(counts.proxies, 5));
  await ready;
  const connectMs = performance.now() - connectedAt;
  const heldThen = await heldBy(server);
  const envoys: Gateway[] = [];
  for (let index = 0; index < counts.envoys; index++) {
    envoys.push(await startEnvoy(server.server.url));
  }
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  const envoyTimes: number[] = [];
  const cpuBefore = server.server.cpuSeconds();
  server.server.peakMegabytes();
  for (let index = 1; index <= commits; index++) {
    const name = String(index);
    const done = expect(proxies.length);
    const from = performance.now();
    const effects = envoys.map((envoy) => effectOf(envoy, agent, name));
    await server.change("one", name);
    await done;
    times.push(performance.now() - from);
    envoyTimes.push(...(await Promise.all(effects)).map((at) => at - from));
  }
  const pushes = commits * (proxies.length + envoys.length);
  const cpuMs = ((server.server.cpuSeconds() - cpuBefore) / pushes) * 1000;
  const peak = server.server.peakMegabytes();
  const each = (of: "resident" | "heap"): string =>
    ((heldThen[of] - held[of]) / counts.proxies / 1024).toFixed(0);
  print(`${title}: ${proxies.length} light proxies, ${envoys.length} Envoys`, "");
  print(`  ${figures.resident}`, each("resident"));
  print(`  ${figures.held}`, each("heap"));
  print(`  ${figures.connected}`, connectMs.toFixed(0));
  print(`  ${figures.acknowledged}`, median(times).toFixed(0));
  print(`  ${figures.envoys}`, median(envoyTimes).toFixed(0));
  print(`  ${figures.pushes}`, ((proxies.length / median(times)) * 1000).toFixed(0));
  print(`  ${figures.processor}`, cpuMs.toFixed(2));
  print(`  ${figures.peak}`, peak.toFixed(0));
  agent.destroy();
  proxies.forEach((proxy) => {
    proxy.close();
  });
  await Promise.all(envoys.map((envoy) => envoy[Symbol.asyncDispose]()));
  await server.stop();
}

/** What a server holds after its garbage was collected, in bytes. */
async function heldBy({ server, inspected }: Server) {
  const heap = await inspected.heldBytes();
  return { heap, resident: server.residentMegabytes() * 2 ** 20 };
}

const kilobyte = 1000;
await measureEffect("A module of 2 kB", 0, counts.changes);
await measureEffect("A module of 100 kB", 100 * kilobyte, counts.changes);
await measureEffect("A module of 3 MB", 3000 * kilobyte, Math.ceil(counts.changes / 4));
await measureMany("A module of 100 kB", 100 * kilobyte, Math.ceil(counts.changes / 10));
await measureMany("A module of 3 MB", 3000 * kilobyte, Math.ceil(counts.changes / 40));
rmSync(folder, { recursive: true });
process.exit();
