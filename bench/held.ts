/*
 * What callers can make a server hold: calls that are opened and reset, answers that nobody reads, and
 * watches whose requests were large. Each figure is the resident memory of a server's process.
 *
 * WASMEXT_ROOT names another checkout to measure, to compare the two in one run.
 */
import { once } from "node:events";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { grpc } from "../test/support/dialects.ts";
import { field } from "../test/support/wire.ts";
import { print } from "./measure.ts";
import { startServerProcess } from "./server-process.ts";

const parent = "organizations/acme";
const service = `/${WasmExtensions.typeName}`;
const root = process.env["WASMEXT_ROOT"];
const getRequest = grpc.wrap(field(1, `${parent}/extensions/none`));

await measure("30,000 calls opened and reset", async (session) => {
  for (let round = 0; round < 300; round++) {
    const calls = Array.from({ length: 100 }, () => {
      const stream = call(session, `${service}/GetWasmExtension`, "application/grpc", getRequest);
      setImmediate(() => {
        stream.close(constants.NGHTTP2_CANCEL);
      });
      return new Promise((resolve) => stream.once("close", resolve));
    });
    await Promise.all(calls);
  }
});

await measure("60 lists of 20 MB that nobody reads", async (session, url) => {
  const client = createClient(WasmExtensions, createGrpcTransport({ baseUrl: url }));
  for (let index = 0; index < 10; index++) {
    const wasmExtension = { url: "oci://x", description: "x".repeat(2_000_000) };
    await client.createWasmExtension({ parent, name: `e${index}`, wasmExtension });
  }
  const body = JSON.stringify({ parent });
  for (let index = 0; index < 60; index++) {
    const list = call(session, `${service}/ListWasmExtension`, "application/json", body);
    await Promise.race([once(list, "response"), settled(list)]);
  }
});

for (const [name, padding] of [
  ["small requests", 0],
  ["requests of 1 MiB in JSON", 1024 * 1024],
] as const) {
  await measure(`1,000 watches of ${name}`, async (session) => {
    const json = `{"parent":"${parent}"${" ".repeat(padding)}}`;
    for (let index = 0; index < 1_000; index++) {
      const message = grpc.wrap(json);
      const watch = call(
        session,
        "/wasmext.v1.WatchService/Watch",
        "application/grpc+json",
        message,
      );
      await once(watch, "response");
    }
  });
}

function call(
  session: ClientHttp2Session,
  path: string,
  contentType: string,
  body: Uint8Array | string,
) {
  const headers = { ":method": "POST", ":path": path, "content-type": contentType, te: "trailers" };
  const stream = session.request(headers);
  stream.on("error", () => undefined);
  stream.end(body);
  return stream;
}

async function measure(
  what: string,
  work: (session: ClientHttp2Session, url: string) => Promise<unknown>,
): Promise<void> {
  const server = await startServerProcess(root);
  const session = connect(server.url, { settings: { initialWindowSize: 0 } });
  session.on("error", () => undefined);
  await once(session, "connect");
  const before = server.residentMegabytes();
  const startedAt = performance.now();
  await work(session, server.url).catch((error: unknown) => {
    print(`${what}: the server failed`, String(error));
  });
  const seconds = (performance.now() - startedAt) / 1000;
  print(`${what}: MB more than before`, (server.residentMegabytes() - before).toFixed(0));
  print(`${what}: MB at the most`, (server.peakMegabytes() - before).toFixed(0));
  print(`${what}: s`, seconds.toFixed(1));
  session.destroy();
  await server.stop();
}

function settled(stream: { once: (event: "close", listener: () => void) => unknown }) {
  return new Promise<void>((resolve) => stream.once("close", resolve));
}
