import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { describe, expect, onTestFinished, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { ChainService } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { type WatchResponse, WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import type { StoreOptions } from "../../src/catalog/store.ts";
import { createMemoryCatalog } from "../../src/journal/catalog.ts";
import { redIngress } from "../support/acme.ts";
import { said } from "../support/errors.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { read, type Reader, until } from "../support/stream.ts";

const parent = "organizations/acme";

async function serve(limits: StoreOptions = {}): Promise<RunningServer> {
  const server = await startServer({ catalog: createMemoryCatalog(limits) });
  onTestFinished(() => server.close());
  return server;
}

const transports: Record<string, (baseUrl: string) => Transport> = {
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect in JSON over HTTP/2": (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false }),
  "Connect over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
};

function watch(transport: Transport, startRevision = 0n): Reader<WatchResponse> {
  const client = createClient(WatchService, transport);
  return read((options) => client.watch({ parent, startRevision }, options));
}

async function create(transport: Transport, name: string, description = ""): Promise<void> {
  await createClient(WasmExtensions, transport).createWasmExtension({
    parent,
    name,
    wasmExtension: { url: "oci://x", description },
  });
}

describe.each(Object.entries(transports))("over %s", (_name, transportTo) => {
  test("a watch sees changes as they come, and leaves nothing when it is cancelled", async () => {
    const server = await serve();
    const transport = transportTo(server.url);
    const commits = watch(transport);
    const client = createClient(ChainService, transport);
    const chains = read((options) => client.watchChain({ target: redIngress }, options));
    expect(await commits.next()).toMatchObject({ bookmark: true });
    expect((await chains.next()).chain?.links).toEqual([]);
    await create(transport, "a");
    const response = await commits.next();
    expect(response).toMatchObject({ revision: 1n, incarnation: server.reader.incarnation });
    expect(response.events).toMatchObject([
      { event: { case: "extensionPut", value: { fqn: `${parent}/extensions/a`, url: "oci://x" } } },
    ]);
    expect([server.reader.commitNotifier.size, server.reader.chainNotifier.size]).toEqual([1, 1]);
    commits.cancel();
    chains.cancel();
    await until(
      () => server.reader.commitNotifier.size === 0 && server.reader.chainNotifier.size === 0,
      "the watchers have left",
    );
  });

  test("a server that goes down ends watches with UNAVAILABLE", async () => {
    const server = await serve();
    const transport = transportTo(server.url);
    const commits = watch(transport);
    await commits.next();
    await create(transport, "a");
    await commits.next();
    const closed = server.close();
    const end = await commits.next().catch((error: unknown) => ConnectError.from(error));
    const { code, reason, metadata } = said(end as ConnectError);
    expect({ code, reason, metadata }).toEqual({
      code: Code.Unavailable,
      reason: "SHUTTING_DOWN",
      metadata: { next_revision: "2" },
    });
    await closed;
    expect(server.reader.commitNotifier.size).toBe(0);
  });
});

test("a reader that fell behind within the kept history resumes where it was", async () => {
  const server = await serve();
  const transport = createGrpcTransport({ baseUrl: server.url });
  const first = watch(transport);
  await first.next();
  await create(transport, "a");
  const { revision } = await first.next();
  first.cancel();
  for (const name of ["b", "c"]) {
    await create(transport, name);
  }
  const resumed = watch(transport, revision + 1n);
  expect(await resumed.next()).toMatchObject({ revision: 2n });
  expect(await resumed.next()).toMatchObject({ revision: 3n });
});

test("1,000 watchers see 100 commits each: all, in order, none twice", async () => {
  const server = await serve();
  const controller = new AbortController();
  onTestFinished(() => {
    controller.abort();
  });
  const transports = Array.from({ length: 4 }, () => {
    const sessionManager = new Http2SessionManager(server.url);
    return createGrpcTransport({ baseUrl: server.url, sessionManager });
  });
  const seen = Array.from({ length: 1_000 }, (): bigint[] => []);
  const watching = seen.map(async (revisions, index) => {
    const transport = transports[index % transports.length];
    if (transport === undefined) {
      return;
    }
    const responses = createClient(WatchService, transport).watch({ parent }, controller);
    for await (const { revision, bookmark } of responses) {
      if (!bookmark && revisions.push(revision) === 100) {
        return;
      }
    }
  });
  await until(() => server.reader.commitNotifier.size === 1_000, "all watchers have joined");
  const writer = createGrpcTransport({ baseUrl: server.url });
  for (let index = 1; index <= 100; index++) {
    await create(writer, `e${index}`);
  }
  await Promise.all(watching);
  const expected = Array.from({ length: 100 }, (_, index) => BigInt(index + 1));
  for (const revisions of seen) {
    expect(revisions).toEqual(expected);
  }
}, 60_000);
