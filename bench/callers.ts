/*
 * How long others wait while a client takes all that it can get, and what the server keeps of that: 500
 * connections that send nothing, and calls that are opened and reset as fast as the server reads them.
 *
 * Usage: node bench/callers.ts [seconds]
 * WASMEXT_ROOT names another checkout, which is measured first.
 */
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { grpc } from "../test/support/dialects.ts";
import { field } from "../test/support/wire.ts";
import type { Attack } from "./attacks.ts";
import { checkouts } from "./checkouts.ts";
import { print } from "./measure.ts";
import { startServerProcess } from "./server-process.ts";

const seconds = Number(process.argv[2] ?? 5);
const parent = "organizations/acme";
const body = grpc.wrap(field(1, `${parent}/extensions/x`));

for (const { root, label } of checkouts()) {
  for (const [attack, what] of [
    ["silence", "500 silent connections"],
    [1_000, "calls that are opened and reset, 1,000 in a write"],
    [100, "calls that are opened and reset, 100 in a write"],
  ] as const) {
    await measure(`${label}${what}`, root, attack);
  }
}

async function measure(what: string, root: string, attack: Attack): Promise<void> {
  const server = await startServerProcess(root);
  const client = createClient(WasmExtensions, createGrpcTransport({ baseUrl: server.url }));
  await client.createWasmExtension({ parent, name: "x", wasmExtension: { url: "oci://x" } });
  const session = connect(server.url);
  await waits(session);
  const before = { ...(await waits(session)), megabytes: server.residentMegabytes() };
  const worker = new Worker(new URL("attacks.ts", import.meta.url), {
    workerData: { attack, port: server.port },
  });
  await once(worker, "message");
  const during = await waits(session);
  const newcomer = connect(server.url);
  const connecting = await waits(newcomer);
  newcomer.close();
  const most = server.peakMegabytes();
  worker.postMessage("stop");
  const [done] = (await once(worker, "message")) as [number];
  await worker.terminate();
  // What is only late is not kept.
  await setTimeout(1_000);
  const after = { ...(await waits(session)), megabytes: server.residentMegabytes() };
  session.close();
  await server.stop();
  const ratio = (value: { p50: number; p99: number }): string =>
    `${(value.p50 / before.p50).toFixed(1)}, ${(value.p99 / before.p99).toFixed(1)} (${value.p99.toFixed(1)} ms)`;
  print(`${what}: how many`, done);
  print("  Get before: p50, p99, in ms", `${before.p50.toFixed(2)}, ${before.p99.toFixed(2)}`);
  print("  during: p50, p99, to before", ratio(during));
  print("  during, for who connects then: p50, p99, to before", ratio(connecting));
  print("  after: p50, p99, to before", ratio(after));
  print(
    "  MB before, most, after",
    [before.megabytes, most, after.megabytes].map((value) => value.toFixed(0)).join(", "),
  );
}

/** How long a caller waits for answers that it asks for one after the other, in ms. */
async function waits(session: ClientHttp2Session): Promise<{ p50: number; p99: number }> {
  const waited: number[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    const startedAt = performance.now();
    await get(session);
    waited.push(performance.now() - startedAt);
  }
  const sorted = waited.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

async function get(session: ClientHttp2Session): Promise<void> {
  const stream = session.request({
    ":method": "POST",
    ":path": `/${WasmExtensions.typeName}/GetWasmExtension`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.end(body);
  let status: unknown;
  stream.on("trailers", (trailers: Record<string, unknown>) => (status = trailers["grpc-status"]));
  stream.resume();
  await once(stream, "close");
  if (status !== "0") {
    throw new Error(`the status is ${String(status)}, not 0`);
  }
}
