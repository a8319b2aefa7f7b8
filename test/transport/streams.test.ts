/* Streams whose clients do not read, go away, or come in great numbers. */
import { once } from "node:events";
import { type ClientHttp2Stream, connect as connectHttp2, constants } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { WatchChainResponseSchema } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { WatchResponseSchema } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { createMemoryCatalog } from "../../src/journal/catalog.ts";
import type { ServerOptions } from "../../src/server.ts";
import { acme, createAcme, ext, redIngress } from "../support/acme.ts";
import { grpc } from "../support/dialects.ts";
import { openStream } from "../support/raw-stream.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";
import { field } from "../support/wire.ts";

const watchPath = "/wasmext.v1.WatchService/Watch";
const chainPath = "/wasmext.v1.ChainService/WatchChain";
const watchRequest = grpc.wrap(field(1, acme));

async function start(options: Partial<ServerOptions> = {}) {
  const catalog = createMemoryCatalog();
  const server = await startServer({ catalog, ...options });
  onTestFinished(() => server.close());
  return { ...createAcme({ catalog }), server };
}

/** Opens streams on a connection that grants them no more room than is said. */
function connect(server: RunningServer, initialWindowSize = 65_535) {
  const session = connectHttp2(server.url, { settings: { initialWindowSize } });
  onTestFinished(() => {
    session.destroy();
  });
  return (path: string, body: Uint8Array): ClientHttp2Stream => {
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc" };
    const stream = session.request({ ...headers, te: "trailers" });
    stream.on("error", () => undefined);
    stream.end(body);
    return stream;
  };
}

const codes = ({ log }: RunningServer): unknown[] => log.map(({ code }) => code);

/** Reads a stream, and returns the messages that have come so far. */
function messagesOf(stream: ClientHttp2Stream): () => readonly Uint8Array[] {
  const messages: Uint8Array[] = [];
  let rest = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      messages.push(rest.subarray(5, end));
      rest = rest.subarray(end);
    }
  });
  return () => messages;
}

test("a client that gives up leaves nothing behind, over either version of HTTP", async () => {
  const { server, put } = await start();
  for (const http of [1, 2] as const) {
    const contentType = http === 1 ? "application/grpc-web" : "application/grpc";
    const headers = { "content-type": contentType };
    const stream = openStream(server.port, { path: watchPath, headers, body: watchRequest }, http);
    await until(() => stream.messages() >= 1, "the watch has begun");
    stream.cancel();
    await until(() => server.reader.commitNotifier.size === 0, "nobody watches any more");
    await put(`after-http${http}`);
  }
  await until(() => server.log.length === 2, "both calls are logged");
  expect(codes(server)).toEqual(["canceled", "canceled"]);
});

test("a stream that is reset in the middle of a message leaves its connection usable", async () => {
  const { server, put } = await start();
  await put("a", { description: "x".repeat(900_000) });
  const open = connect(server, 1_000);
  const streams = Array.from({ length: 50 }, () => open(watchPath, watchRequest));
  await Promise.all(streams.map((stream) => once(stream, "response")));
  for (const stream of streams) {
    stream.close(constants.NGHTTP2_CANCEL);
  }
  await until(() => server.reader.commitNotifier.size === 0, "nobody watches any more");
  await until(() => server.log.length === 50, "all calls are logged");
  expect(new Set(codes(server))).toEqual(new Set(["canceled"]));
  const chain = messagesOf(open(chainPath, grpc.wrap(field(1, redIngress))));
  await until(() => chain().length === 1, "another stream is answered");
});

test("a reader that begins to read late is sent all of it in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(10, 2_000, 20_000, 70_000), { minLength: 5, maxLength: 60 }),
      fc.constantFrom(100, 16_384, 65_535),
      async (sizes, window) => {
        const { server, put } = await start();
        const stream = connect(server, window)(watchPath, watchRequest);
        await once(stream, "response");
        for (const [priority, size] of sizes.entries()) {
          await put("a", { priority: priority + 1, description: "x".repeat(size) });
        }
        const messages = messagesOf(stream);
        await until(() => messages().length === sizes.length + 1, "all messages have come");
        const responses = messages().map((bytes) => fromBinary(WatchResponseSchema, bytes));
        expect(responses.map(({ revision }) => Number(revision))).toEqual([
          0,
          ...sizes.map((_, index) => index + 1),
        ]);
        await server.close();
      },
    ),
    { numRuns: 8 },
  );
});

test("a slow reader of a chain is sent the latest one alone", async () => {
  const { server, put, attach } = await start();
  await put("a");
  const stream = connect(server, 0)(chainPath, grpc.wrap(field(1, redIngress)));
  await once(stream, "response");
  for (let count = 1; count <= 30; count++) {
    const text = "x".repeat(20_000);
    await attach(redIngress, [{ fqn: ext("a"), config: { count, text } }]);
    // Leaves time for the server to write.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const messages = messagesOf(stream);
  // Room for all of it.
  stream.session?.settings({ initialWindowSize: 10_000_000 });
  const latest = (): unknown => {
    const bytes = messages().at(-1);
    return bytes && fromBinary(WatchChainResponseSchema, bytes).chain?.links[0]?.config?.["count"];
  };
  await until(() => latest() === 30, "the latest chain has come");
  expect(messages().length).toBeLessThan(10);
});

test("watches that have nothing to read share one timer", async () => {
  const timers = (): number =>
    process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  // Connect has a timer for each.
  const { server } = await start({ frontEnds: "all" });
  const open = connect(server);
  const before = timers();
  const streams = Array.from({ length: 200 }, () => open(watchPath, watchRequest));
  const readers = streams.map(messagesOf);
  await until(() => readers.every((messages) => messages().length === 1), "all have begun");
  expect(timers() - before).toBeLessThan(20);
});

test("one commit that wakes 2,000 readers of a chain reaches all, and calls are answered between", async () => {
  const { server, put, attach } = await start({ maxWatches: 10_000 });
  await put("a");
  const opens = Array.from({ length: 4 }, () => connect(server));
  const readers = Array.from({ length: 2_000 }, (_, index) =>
    messagesOf(opens[index % 4]?.(chainPath, grpc.wrap(field(1, redIngress))) ?? expect.fail()),
  );
  await until(() => readers.every((messages) => messages().length === 1), "all have begun");
  const count = (): number => readers.filter((messages) => messages().length === 2).length;
  await attach(redIngress, [{ fqn: ext("a") }]);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  expect(count()).toBeLessThan(2_000);
  await until(() => count() === 2_000, "all have the new chain");
  const [first] = readers[0]?.().slice(1) ?? [];
  for (const messages of readers) {
    expect(Buffer.compare(messages()[1] ?? Buffer.alloc(0), first ?? Buffer.alloc(1))).toBe(0);
  }
});
