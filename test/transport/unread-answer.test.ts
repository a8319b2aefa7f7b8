import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";

const parent = "organizations/acme";
const path = `/${WasmExtensions.typeName}/ListWasmExtension`;
const body = JSON.stringify({ parent });

async function serveLargeList() {
  const server = await startServer({ unread: { answerMs: 200 } });
  onTestFinished(() => server.close());
  const client = createClient(WasmExtensions, createGrpcTransport({ baseUrl: server.url }));
  for (let index = 0; index < 8; index++) {
    const wasmExtension = { url: "oci://x", description: "x".repeat(2 * 1024 * 1024) };
    await client.createWasmExtension({ parent, name: `e${index}`, wasmExtension });
  }
  const isLogged = (): boolean =>
    server.log.some(({ method, code }) => method === path && code === "resource_exhausted");
  return { server, isLogged };
}

test("an answer that is not read is given up, over HTTP/2", async () => {
  const { server, isLogged } = await serveLargeList();
  const session = connectHttp2(server.url);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/json",
  });
  stream.end(body);
  stream.on("error", () => undefined);
  await once(stream, "response");
  await until(isLogged, "the call was given up");
  session.destroy();
});

test("an answer that is not read is given up, over HTTP/1.1", async () => {
  const { server, isLogged } = await serveLargeList();
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until(isLogged, "the call was given up");
  socket.destroy();
  expect(server.log.filter(({ level }) => level === 50)).toEqual([]);
});
