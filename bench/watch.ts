/*
 * What watchers cost: the heap after many commits with readers that do not read, against the same
 * commits without any; and deliveries a second to readers that do, against unary calls a second.
 */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { pino } from "pino";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { WatchService } from "../gen/wasmext/v1/watch_service_pb.ts";
import { createMemoryCatalog } from "../src/journal/catalog.ts";
import { createServer } from "../src/server.ts";
import { openStalledWatch } from "../test/support/stalled-watch.ts";
import { megabytes, print } from "./measure.ts";

const parent = "organizations/acme";

async function serve() {
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
  const sessionManager = new Http2SessionManager(url);
  const transport = createGrpcTransport({ baseUrl: url, sessionManager });
  const extensions = createClient(WasmExtensions, transport);
  return {
    url,
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
    watch: (signal: AbortSignal) =>
      createClient(WatchService, transport).watch({ parent }, { signal }),
    close: () => {
      sessionManager.abort();
      return server.close();
    },
  };
}

/** MiB of heap that commits leave behind, with some readers that do not read. */
async function heapAfter(commits: number, stalled: number): Promise<number> {
  const { url, commit, close } = await serve();
  await Promise.all(Array.from({ length: stalled }, () => openStalledWatch(url, parent)));
  const before = megabytes();
  await commit(commits, "x".repeat(8 * 1024));
  const after = megabytes();
  await close();
  return after - before;
}

/** Deliveries a second to some readers, and the unary calls a second that caused them. */
async function fanOut(readers: number, commits: number): Promise<[number, number]> {
  const { commit, watch, close } = await serve();
  const controller = new AbortController();
  let delivered = 0;
  const done = Promise.withResolvers<undefined>();
  for (let index = 0; index < readers; index++) {
    void (async () => {
      for await (const { events } of watch(controller.signal)) {
        delivered += events.length;
        if (delivered === readers * (commits + 1)) {
          done.resolve(undefined);
        }
      }
    })().catch(() => undefined);
  }
  const startedAt = performance.now();
  await commit(commits, "");
  const written = performance.now();
  await done.promise;
  const seconds = (performance.now() - startedAt) / 1000;
  controller.abort();
  await close();
  return [delivered / seconds, commits / ((written - startedAt) / 1000)];
}

const none = await heapAfter(10_000, 0);
const stalled = await heapAfter(10_000, 100);
print("MiB after 10,000 commits of 8 KiB, nobody watching", none.toFixed(1));
print("MiB after the same, 100 readers that do not read", stalled.toFixed(1));
print("  ratio", (stalled / none).toFixed(2));
const [alone] = await fanOut(1, 2_000);
const [deliveries] = await fanOut(200, 200);
print("deliveries a second to 200 readers", Math.round(deliveries));
print("  ratio to one reader, which waits for each commit", (deliveries / alone).toFixed(1));
process.exit();
