/*
 * What a server keeps of calls that are opened and reset. For 16 s clients open unary calls and reset
 * them before, while and after the request is sent; the server has a heap of 512 MB.
 *
 * Usage: node bench/resets.ts [seconds]
 * WASMEXT_ROOT names another checkout, which is measured first.
 */
import { once } from "node:events";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { setTimeout } from "node:timers/promises";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { grpc } from "../test/support/dialects.ts";
import { field } from "../test/support/wire.ts";
import { checkouts } from "./checkouts.ts";
import { print } from "./measure.ts";
import { startServerProcess } from "./server-process.ts";

const seconds = Number(process.argv[2] ?? 16);

/** HTTP/2 servers end a connection with more than 1,000 resets at once. */
const [batches, callsInBatch] = [9, 100];

const headers = {
  ":method": "POST",
  ":path": `/${WasmExtensions.typeName}/GetWasmExtension`,
  "content-type": "application/grpc",
  te: "trailers",
};
const body = grpc.wrap(field(1, "organizations/acme/extensions/none"));

/** How much of its request a call sends before it is reset. */
const moments: Readonly<Record<string, Uint8Array>> = {
  "the headers alone": body.subarray(0, 0),
  "half of the request": body.subarray(0, 10),
  "the whole request": body,
};

for (const [moment, sent] of Object.entries(moments)) {
  for (const { root, label } of checkouts()) {
    await measure(`${label}reset after ${moment}`, root, sent);
  }
}

async function measure(name: string, root: string, sent: Uint8Array): Promise<void> {
  const server = await startServerProcess(root, ["--max-old-space-size=512"]);
  const before = server.residentMegabytes();
  const startedAt = performance.now();
  let calls = 0;
  while (performance.now() < startedAt + seconds * 1000 && !server.hasEnded) {
    const session = connect(server.url);
    session.on("error", () => undefined);
    await once(session, "connect").catch(() => undefined);
    for (let batch = 0; batch < batches && !session.destroyed; batch++) {
      await Promise.all(Array.from({ length: callsInBatch }, () => openAndReset(session, sent)));
      calls += callsInBatch;
    }
    session.destroy();
  }
  // What is only late is not kept.
  await setTimeout(1_000);
  const kept = server.residentMegabytes() - before;
  const result = server.hasEnded ? "the server has ended" : `${kept.toFixed(0)} MB`;
  print(name, `${calls} calls, ${result}`);
  await server.stop();
}

async function openAndReset(session: ClientHttp2Session, sent: Uint8Array): Promise<void> {
  const stream = session.request(headers);
  stream.on("error", () => undefined);
  if (sent.byteLength === body.byteLength) {
    stream.end(sent);
  } else if (sent.byteLength > 0) {
    stream.write(sent);
  }
  setImmediate(() => {
    stream.close(constants.NGHTTP2_CANCEL);
  });
  await new Promise((resolve) => stream.once("close", resolve));
}
