import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import type { StoreOptions } from "../../src/catalog/store.ts";
import { createMemoryCatalog } from "../../src/journal/catalog.ts";
import { said } from "../support/errors.ts";
import { startServer } from "../support/server.ts";
import { openStalledWatch } from "../support/stalled-watch.ts";
import { read } from "../support/stream.ts";
import { createReplica, follow } from "../support/watched.ts";
import { storedExtensions } from "../support/stored.ts";

const parent = "organizations/acme";

/** A server with a small history, a client to write with, and how to watch. */
async function serve(limits: StoreOptions = {}) {
  const server = await startServer({ catalog: createMemoryCatalog(limits) });
  onTestFinished(() => server.close());
  // Each client has a connection of its own, so that they share no flow control.
  const connection = () => createGrpcTransport({ baseUrl: server.url });
  const extensions = createClient(WasmExtensions, connection());
  const watches = createClient(WatchService, connection());
  const description = "x".repeat(8 * 1024);
  return {
    reader: server.reader,
    url: server.url,
    watch: (startRevision: bigint) =>
      read((options) => watches.watch({ parent, startRevision }, options)),
    commit: (index: number) =>
      extensions.createWasmExtension({
        parent,
        name: `e${index}`,
        wasmExtension: { url: "oci://x", description },
      }),
  };
}

test("a reader that does not read ends with RESOURCE_EXHAUSTED, resumes, and misses nothing", async () => {
  const { reader, url, watch, commit } = await serve();
  const slow = await openStalledWatch(url, parent);
  const quick = watch(0n);
  await quick.next();
  const commits = 1_200;
  for (let index = 1; index <= commits; index++) {
    await commit(index);
    expect(await quick.next()).toMatchObject({ revision: BigInt(index) });
  }

  const { responses, error } = await slow.rest();
  const [bookmark, ...seen] = responses;
  expect(bookmark).toMatchObject({ bookmark: true, revision: 0n });
  const { code, reason, metadata } = said(error ?? new ConnectError("no error"));
  expect({ code, reason }).toEqual({ code: Code.ResourceExhausted, reason: "READER_TOO_SLOW" });

  const resumed = watch(BigInt(metadata["next_revision"] ?? ""));
  const revisions = seen.map(({ revision }) => revision);
  const replica = createReplica();
  seen.forEach((response) => {
    follow(replica, response);
  });
  while (revisions.length < commits) {
    const response = await resumed.next();
    revisions.push(response.revision);
    follow(replica, response);
  }
  expect(revisions).toEqual(Array.from({ length: commits }, (_, index) => BigInt(index + 1)));
  expect(replica.extensions).toEqual(storedExtensions(reader));
}, 30_000);

test("a reader that wants what is no longer kept is told so, and begins again", async () => {
  const { reader, url, watch, commit } = await serve({ history: { maxCommits: 50 } });
  const slow = await openStalledWatch(url, parent);
  const commits = 200;
  for (let index = 1; index <= commits; index++) {
    await commit(index);
  }
  // What is kept for those who fall behind is bounded, whoever reads.
  expect(reader.history.length).toBe(50);
  const { error } = await slow.rest();
  const { code, message, metadata } = said(error ?? new ConnectError("no error"));
  expect({ code, metadata }).toEqual({
    code: Code.ResourceExhausted,
    metadata: { next_revision: "0" },
  });
  expect(message).toContain("begin with start_revision 0");

  const replica = createReplica();
  const again = watch(BigInt(metadata["next_revision"] ?? ""));
  let response = await again.next();
  for (; !response.bookmark; response = await again.next()) {
    follow(replica, response);
  }
  expect(response.revision).toBe(BigInt(commits));
  expect(replica.extensions).toEqual(storedExtensions(reader));
});
