/*
 * What watchers cost: memory after many commits with readers that do not read, against the same commits
 * without any; and deliveries to readers that do, against unary calls.
 *
 * Deliveries are those of servers in processes of their own. `node --expose-gc bench/watch.ts FOLDER` measures
 * the server of another checkout as well, in turn with that of this one; the last two lines are then ratios
 * of each round, which hold also while the machine is busy with something else.
 */
import { connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { pino } from "pino";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { WatchRequestSchema, WatchService } from "../gen/wasmext/v1/watch_service_pb.ts";
import { createMemoryCatalog } from "../src/journal/catalog.ts";
import { createServer } from "../src/server.ts";
import { openStalledWatch } from "../test/support/stalled-watch.ts";
import { median, megabytes, print } from "./measure.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const parent = "organizations/acme";
const rounds = 9;
const readers = 200;
const commits = 60;

function clientOf(url: string) {
  const sessionManager = new Http2SessionManager(url);
  const transport = createGrpcTransport({ baseUrl: url, sessionManager });
  const extensions = createClient(WasmExtensions, transport);
  return {
    extensions,
    /** Replaces one extension again and again. */
    commit: async (times: number, description: string): Promise<void> => {
      let current = await extensions.createWasmExtension({
        parent,
        name: `e${Math.random().toString(36).slice(2)}`,
        wasmExtension: { url: "oci://x" },
      });
      for (let index = 0; index < times; index++) {
        const change = { ...current, description: `${index} ${description}` };
        current = await extensions.updateWasmExtension(change);
      }
    },
    close: () => {
      sessionManager.abort();
    },
  };
}

/** MiB of heap that commits leave behind in a server of this process, with some readers that do not read. */
async function heapAfter(times: number, stalled: number): Promise<number> {
  const server = createServer({
    catalog: createMemoryCatalog(),
    host: "127.0.0.1",
    port: 0,
    allowedOrigins: [],
    maxMessageBytes: 4 * 1024 * 1024,
    logger: pino({ level: "silent" }),
  });
  const { port } = await server.listen();
  const url = `http://127.0.0.1:${port}`;
  const client = clientOf(url);
  await Promise.all(Array.from({ length: stalled }, () => openStalledWatch(url, parent)));
  const before = megabytes();
  await client.commit(times, "x".repeat(8 * 1024));
  const after = megabytes();
  client.close();
  await server.close();
  return after - before;
}

const envelopeBytes = 5;

/**
 * Opens watches on ten connections that begin with the next commit. It reads envelopes alone, so that it is
 * not the client that is measured.
 */
function openWatches(url: string, startRevision: bigint, onMessage: () => void): () => void {
  const message = toBinary(
    WatchRequestSchema,
    create(WatchRequestSchema, { parent, startRevision }),
  );
  const request = Buffer.concat([Buffer.alloc(envelopeBytes), message]);
  request.writeUInt32BE(message.byteLength, 1);
  const sessions = Array.from({ length: 10 }, () => connect(url));
  for (let index = 0; index < readers; index++) {
    const stream = sessions[index % sessions.length]?.request({
      ":method": "POST",
      ":path": `/${WatchService.typeName}/Watch`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let unread: Buffer = Buffer.alloc(0);
    stream?.on("error", () => undefined);
    stream?.on("data", (chunk: Buffer) => {
      let bytes = unread.byteLength === 0 ? chunk : Buffer.concat([unread, chunk]);
      while (bytes.byteLength >= envelopeBytes) {
        const end = envelopeBytes + bytes.readUInt32BE(1);
        if (bytes.byteLength < end) {
          break;
        }
        onMessage();
        bytes = bytes.subarray(end);
      }
      unread = bytes;
    });
    stream?.end(request);
  }
  return () => {
    sessions.forEach((session) => {
      session.destroy();
    });
  };
}

/** Deliveries a second, and the µs of the server's processor that each takes. */
async function fanOut(server: ServerProcess, times: number): Promise<readonly [number, number]> {
  const client = clientOf(server.url);
  let delivered = 0;
  const all = Promise.withResolvers<undefined>();
  const ready = Promise.withResolvers<undefined>();
  const close = openWatches(server.url, nextRevision(server), () => {
    delivered++;
    if (delivered === readers) {
      ready.resolve(undefined);
    } else if (delivered === readers * (times + 2)) {
      all.resolve(undefined);
    }
  });
  // Every reader is there when it has seen the first commit.
  await client.commit(0, "");
  await ready.promise;
  const startedAt = performance.now();
  const cpuBefore = server.cpuSeconds();
  await client.commit(times, "");
  await all.promise;
  const seconds = (performance.now() - startedAt) / 1000;
  const deliveries = readers * (times + 1);
  const cpuMicroseconds = ((server.cpuSeconds() - cpuBefore) / deliveries) * 1e6;
  close();
  client.close();
  revisions.set(server, nextRevision(server) + BigInt(times) + 2n);
  return [deliveries / seconds, cpuMicroseconds];
}

/** The revision that each server is at. */
const revisions = new Map<ServerProcess, bigint>();

function nextRevision(server: ServerProcess): bigint {
  return revisions.get(server) ?? 1n;
}

const here = new URL("..", import.meta.url).pathname;
const roots = [here, ...process.argv.slice(2, 3)];
const nameOf = (root: string): string => (root === here ? "" : ` (${root})`);

// What code and caches take is there after a first round.
await heapAfter(500, 10);
const none = await heapAfter(2_000, 0);
const stalled = await heapAfter(2_000, 100);
print("MiB after 2,000 commits of 8 KiB, nobody watching", none.toFixed(1));
print("MiB after the same, 100 readers that do not read", stalled.toFixed(1));
print("  ratio", (stalled / none).toFixed(2));

const servers: ServerProcess[] = [];
for (const root of roots) {
  const server = await startServerProcess(root);
  servers.push(server);
  await fanOut(server, commits);
}
const figures = servers.map((): (readonly [number, number])[] => []);
for (let round = 0; round < rounds; round++) {
  for (const [index, server] of servers.entries()) {
    figures[index]?.push(await fanOut(server, commits));
  }
}
for (const [index, of] of figures.entries()) {
  const name = nameOf(roots[index] ?? "");
  print(`deliveries a second to 200 readers${name}`, median(of.map(([each]) => each)).toFixed(0));
  print(
    `  µs of the server's processor each${name}`,
    median(of.map(([, each]) => each)).toFixed(1),
  );
}
const [ours, others] = figures;
if (ours !== undefined && others !== undefined) {
  const ratio = (of: 0 | 1): string =>
    median(ours.map((each, index) => each[of] / (others[index]?.[of] ?? NaN))).toFixed(2);
  print("  deliveries a second, to those of the other", ratio(0));
  print("  µs of the processor, to those of the other", ratio(1));
}
for (const server of servers) {
  await server.stop();
}
process.exit();
