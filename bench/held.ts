/*
 * What callers can make a server hold: answers that nobody reads, and watches whose requests were large.
 * Each figure is the resident memory of a server's process.
 *
 * WASMEXT_ROOT names another checkout, which is measured first.
 */
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { grpc } from "../test/support/dialects.ts";
import { checkouts } from "./checkouts.ts";
import { print } from "./measure.ts";
import { startServerProcess } from "./server-process.ts";

const parent = "organizations/acme";
const service = `/${WasmExtensions.typeName}`;

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
  for (const { root, label } of checkouts()) {
    const server = await startServerProcess(root);
    const session = connect(server.url, { settings: { initialWindowSize: 0 } });
    session.on("error", () => undefined);
    await once(session, "connect");
    const before = server.residentMegabytes();
    const startedAt = performance.now();
    await work(session, server.url).catch((error: unknown) => {
      print(`${label}${what}: the server failed`, String(error));
    });
    const seconds = (performance.now() - startedAt) / 1000;
    const now = (server.residentMegabytes() - before).toFixed(0);
    const most = (server.peakMegabytes() - before).toFixed(0);
    print(`${label}${what}`, `${now} MB, ${most} MB at the most, ${seconds.toFixed(1)} s`);
    session.destroy();
    await server.stop();
  }
}

function settled(stream: { once: (event: "close", listener: () => void) => unknown }) {
  return new Promise<void>((resolve) => stream.once("close", resolve));
}
