/*
 * How long others wait, and how much memory it takes, while the server refuses a request that is made
 * to be expensive. A search over methods, formats, compressions and shapes looks for the dearest ones:
 * random requests first, then changes to those that cost most. The server is a process of its own.
 *
 * Usage: node bench/flood.ts [requests to try, by default 400] [seed]
 * WASMEXT_ROOT names another checkout to measure, to compare the two in one run.
 */
import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { median, print } from "./measure.ts";
import { startServerProcess } from "./server-process.ts";
import { type Flood, floodOf, methods, mutated, randomFlood } from "./flood-shapes.ts";

const [tries = 400, seed = 1] = process.argv.slice(2).map(Number);
const random = createRandom(seed);
const server = await startServerProcess(process.env["WASMEXT_ROOT"]);
const { port } = server;
const pings = new Agent({ keepAlive: true, maxSockets: 1 });
const floods = new Agent({ keepAlive: true, maxSockets: 1 });

interface Cost {
  readonly flood: Flood;
  readonly waitMs: number;
  readonly megabytes: number;
  readonly sentBytes: number;
  readonly status: number;
}

// Everything is loaded and compiled before it is measured.
for (const method of methods) {
  for (const format of ["json", "binary"] as const) {
    await cost({ ...randomFlood(random), method, format, scale: 0.001 });
  }
}
const calm = Math.max(...(await Promise.all(Array.from({ length: 20 }, () => ping()))));
let costs: Cost[] = [];
for (let index = 0; index < tries; index++) {
  const parent = costs[Math.floor(random() * Math.min(costs.length, 10))];
  const isFirstHalf = index < tries / 2 || parent === undefined;
  costs.push(await cost(isFirstHalf ? randomFlood(random) : mutated(parent.flood, random)));
  costs = costs.toSorted((a, b) => b.waitMs - a.waitMs);
}

print("requests that were tried, and the seed", `${tries}, ${seed}`);
print("longest wait of a page alone, in ms", calm.toFixed(1));
for (const { flood, waitMs, megabytes, sentBytes, status } of costs.slice(0, 5)) {
  print(
    nameOf(flood),
    `${waitMs.toFixed(0)} ms, ${megabytes.toFixed(0)} MB, ${sentBytes} B, ${status}`,
  );
}
const [first] = costs;
if (first !== undefined) {
  // The figure of one run may be another's garbage, so the dearest are tried again.
  const dearest = costs.slice(0, 5).map(({ flood }) => flood);
  for (const flood of dearest) {
    const waits: number[] = [];
    for (let index = 0; index < 20; index++) {
      waits.push((await cost(flood)).waitMs);
    }
    const longest = Math.max(...waits).toFixed(0);
    print(nameOf(flood), `20 times: median ${median(waits).toFixed(0)} ms, longest ${longest} ms`);
  }
  const most = Math.max(...costs.map(({ megabytes }) => megabytes));
  print("most MB that one request took, resident", most.toFixed(0));
  const body = bodyOf(first.flood);
  const tenAtOnce = await othersWait(() =>
    Promise.all(Array.from({ length: 10 }, () => send(first.flood, body, new Agent()))),
  );
  print("ten of the dearest at once: ms that others wait", tenAtOnce.toFixed(0));
}
await server.stop();
pings.destroy();
floods.destroy();

function nameOf({ method, format, compression, shape, scale }: Flood): string {
  const [, name = ""] = /\/(\w+)$/.exec(method) ?? [];
  return `${name} ${format} ${compression} ${shape} x${scale.toFixed(2)}`;
}

async function cost(flood: Flood): Promise<Cost> {
  const body = bodyOf(flood);
  server.peakMegabytes();
  const before = server.residentMegabytes();
  let sent = { sentBytes: 0, status: 0 };
  const waitMs = await othersWait(async () => {
    sent = await send(flood, body, floods);
  });
  return { flood, waitMs, megabytes: server.peakMegabytes() - before, ...sent };
}

/** The longest wait for a page that does nothing, in ms, while some work goes on. */
async function othersWait(work: () => Promise<unknown>): Promise<number> {
  const state = { isOver: false };
  const done = work().finally(() => (state.isOver = true));
  let longest = 0;
  do {
    longest = Math.max(longest, await ping());
  } while (!state.isOver);
  await done;
  return longest;
}

async function ping(): Promise<number> {
  const startedAt = performance.now();
  const request = httpRequest({ host: "127.0.0.1", port, path: "/healthz", agent: pings });
  request.end();
  const [response] = (await once(request, "response")) as [NodeJS.ReadableStream];
  response.resume();
  await once(response, "end");
  return performance.now() - startedAt;
}

/** The body of a request, made ahead of the measuring: this process takes the time of those who wait. */
function bodyOf(flood: Flood): Uint8Array {
  const plain = floodOf(flood);
  switch (flood.compression) {
    case "gzip":
      return gzipSync(plain, { level: 1 });
    case "br":
      return brotliCompressSync(plain, { params: { 1: 1 } });
    default:
      return plain;
  }
}

async function send(
  { format, compression, method }: Flood,
  body: Uint8Array,
  agent: Agent,
): Promise<{ sentBytes: number; status: number }> {
  const request = httpRequest({
    ...{ host: "127.0.0.1", port, path: method, method: "POST", agent },
    headers: {
      "content-type": `application/${format === "json" ? "json" : "proto"}`,
      "content-length": String(body.byteLength),
      ...(compression !== "identity" && { "content-encoding": compression }),
    },
  });
  // What is refused by its length may be refused while it is sent.
  request.on("error", () => undefined);
  request.end(body);
  const [response] = (await once(request, "response")) as [
    NodeJS.ReadableStream & { statusCode: number },
  ];
  response.resume();
  await once(response, "end");
  return { sentBytes: body.byteLength, status: response.statusCode };
}

/** Random numbers from 0 to 1 that are the same for a seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
