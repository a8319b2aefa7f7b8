/*
 * What one commit costs that changes the chain which 10,000 watchers follow: how long it takes until the last
 * of them has the new chain, how long others wait meanwhile at most, and the memory of the server.
 *
 * The server is a process of its own; a thread makes calls again and again. `WASMEXT_ROOT` names another
 * checkout to compare with.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { AttachmentService } from "../gen/wasmext/v1/attachment_service_pb.ts";
import { ChainService, WatchChainRequestSchema } from "../gen/wasmext/v1/chain_service_pb.ts";
import { checkouts } from "./checkouts.ts";
import { median, print } from "./measure.ts";
import { enveloped } from "./peers/calls.ts";
import { openReaders } from "./peers/readers.ts";
import { startServerProcess } from "./server-process.ts";

const watchers = 10_000;
const connections = 20;
const commits = 9;
const parent = "organizations/acme";
const target = `${parent}/tenants/red/workspaces/w/securitygroups/s`;

/** Makes a call again and again; a message asks for the longest since the last message, in ms. */
const prober = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { request, Agent } = require("node:http");
  const { url, body } = workerData;
  const options = { agent: new Agent({ keepAlive: true }), method: "POST", headers: { "content-type": "application/json" } };
  let longest = 0;
  parentPort.on("message", () => { parentPort.postMessage(longest); longest = 0; });
  const call = () => {
    const startedAt = performance.now();
    request(url, options, (response) => {
      response.resume().on("end", () => {
        longest = Math.max(longest, performance.now() - startedAt);
        setTimeout(call, 1);
      });
    }).on("error", () => process.exit()).end(body);
  };
  call();
`;

const watch = {
  path: `/${ChainService.typeName}/WatchChain`,
  headers: { "content-type": "application/grpc", te: "trailers" },
  body: enveloped(toBinary(WatchChainRequestSchema, create(WatchChainRequestSchema, { target }))),
};

async function measure(root: string, label: string): Promise<void> {
  const server = await startServerProcess(root, [], ["--max-watches", String(watchers)]);
  const sessionManager = new Http2SessionManager(server.url);
  const transport = createGrpcTransport({ baseUrl: server.url, sessionManager });
  const extensions = createClient(WasmExtensions, transport);
  const wasmExtension = { url: "oci://x" };
  let extension = await extensions.createWasmExtension({ parent, name: "a", wasmExtension });
  const { fqn } = extension;
  const attachmentSet = { fqn: target, extension: [{ fqn }] };
  await createClient(AttachmentService, transport).setAttachments({ attachmentSet });
  const before = server.residentMegabytes();
  const readers = await openReaders(server.port, watch, { streams: watchers, connections });
  await readers.received(watchers);
  const kilobytes = ((server.residentMegabytes() - before) * 1024) / watchers;
  const probe = new Worker(prober, {
    eval: true,
    workerData: {
      url: `${server.url}/${WasmExtensions.typeName}/GetWasmExtension`,
      body: JSON.stringify({ fqn }),
    },
  });
  const longest = async (): Promise<number> => {
    probe.postMessage(undefined);
    return (await once(probe, "message"))[0] as number;
  };
  const [times, waits]: [number[], number[]] = [[], []];
  for (let commit = 1; commit <= commits; commit++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await longest();
    const startedAt = performance.now();
    const all = readers.received((commit + 1) * watchers);
    extension = await extensions.updateWasmExtension({ ...extension, priority: commit });
    await all;
    times.push(performance.now() - startedAt);
    waits.push(await longest());
  }
  print(`${label}kB of resident memory a watcher`, kilobytes.toFixed(1));
  print(`${label}ms until all ${watchers} have the new chain`, median(times).toFixed(0));
  print(`${label}  ms that another call takes at most`, median(waits).toFixed(0));
  await probe.terminate();
  readers.close();
  sessionManager.abort();
  await server.stop();
}

for (const { root, label } of checkouts()) {
  await measure(root, label);
}
process.exit();
