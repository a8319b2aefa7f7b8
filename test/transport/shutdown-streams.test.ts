import { once } from "node:events";
import { type ClientHttp2Stream, connect } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { grpc } from "../support/dialects.ts";
import { startServer } from "../support/server.ts";
import { field } from "../support/wire.ts";

const parent = "organizations/acme";

test("watches with much that is unread end with UNAVAILABLE, and say where to begin", async () => {
  const server = await startServer();
  onTestFinished(() => server.close());
  const client = createClient(WasmExtensions, createGrpcTransport({ baseUrl: server.url }));
  for (let index = 0; index < 20; index++) {
    const wasmExtension = { url: "oci://x", description: "x".repeat(200_000) };
    await client.createWasmExtension({ parent, name: `e${index}`, wasmExtension });
  }
  const session = connect(server.url);
  onTestFinished(() => {
    session.destroy();
  });
  const watches = Array.from({ length: 100 }, () => {
    const stream = session.request({
      ":method": "POST",
      ":path": `/${WatchService.typeName}/Watch`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(grpc.wrap(field(1, parent)));
    return stream;
  });
  await Promise.all(watches.map((stream) => once(stream, "response")));

  const closing = server.close();
  const ends = await Promise.all(watches.map(trailersOf));
  expect(ends.map((end) => end["grpc-status"])).toEqual(Array(100).fill("14"));
  await closing;
});

/** Reads a stream to its end. */
async function trailersOf(stream: ClientHttp2Stream): Promise<Record<string, unknown>> {
  stream.resume();
  const [trailers] = (await once(stream, "trailers")) as [Record<string, unknown>];
  return trailers;
}
