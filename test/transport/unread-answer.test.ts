import { once } from "node:events";
import { type ClientHttp2Stream, connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, onTestFinished, test } from "vitest";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { grpc } from "../support/dialects.ts";
import { type ServerOptions } from "../../src/server.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";
import { field } from "../support/wire.ts";

const parent = "organizations/acme";
const path = `/${WasmExtensions.typeName}/ListWasmExtension`;
const watchPath = `/${WatchService.typeName}/Watch`;
const body = JSON.stringify({ parent });
const mebibyte = 1024 * 1024;

/** A server whose list is 8 MiB, or four times as large as is said. */
async function serveLargeList(
  unread: ServerOptions["unread"] = {},
  descriptionBytes = 2 * mebibyte,
): Promise<RunningServer> {
  const server = await startServer({ unread });
  onTestFinished(() => server.close());
  const client = createClient(WasmExtensions, createGrpcTransport({ baseUrl: server.url }));
  for (let index = 0; index < 4; index++) {
    const wasmExtension = { url: "oci://x", description: "x".repeat(descriptionBytes) };
    await client.createWasmExtension({ parent, name: `e${index}`, wasmExtension });
  }
  return server;
}

function logged(server: RunningServer, method: string): unknown[] {
  return server.log.filter((line) => line["method"] === method).map(({ code }) => code);
}

/** A connection over HTTP/2 whose client has no room for what it is sent. */
function connectWithoutRoom(server: RunningServer) {
  const session = connectHttp2(server.url, { settings: { initialWindowSize: 0 } });
  session.on("error", () => undefined);
  onTestFinished(() => {
    session.destroy();
  });
  return {
    call(path: string, contentType: string, message: Uint8Array | string): ClientHttp2Stream {
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": contentType,
        te: "trailers",
      });
      stream.on("error", () => undefined);
      stream.end(message);
      return stream;
    },
  };
}

/** Sends requests over HTTP/1.1 on a connection that is not read. */
function sendUnread(server: RunningServer, requests: number) {
  const socket = connect(server.port, "127.0.0.1");
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on("error", () => undefined);
  // Reads as much as a socket buffers, so that it can be told that an answer has begun.
  socket.on("readable", () => undefined);
  const request =
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${body.length}\r\n\r\n${body}`;
  socket.write(request.repeat(requests));
  return socket;
}

describe("an answer that is not read is given up", () => {
  const isGivenUp = (server: RunningServer) => (): boolean =>
    logged(server, path).includes("resource_exhausted");

  test.each([
    ["as a whole", { answerMs: 200 }],
    ["for standing still", { stallMs: 200 }],
  ])("%s, over HTTP/2", async (_what, limits) => {
    const server = await serveLargeList(limits);
    const stream = connectWithoutRoom(server).call(path, "application/json", body);
    await until(isGivenUp(server), "the call was given up");
    await until(() => stream.closed, "the client was told");
    // What gRPC takes for RESOURCE_EXHAUSTED.
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  // An answer that Node takes as a whole, and cannot send.
  test.each([
    ["directly", "application/json", "ok"],
    ["by Connect", "application/json; charset=utf-8", "ok"],
    ["with an error", "text/plain", "invalid_argument"],
  ])("for standing still when it is small, given %s", async (_how, contentType, code) => {
    const server = await serveLargeList({ stallMs: 200 }, 1024);
    const stream = connectWithoutRoom(server).call(path, contentType, body);
    await until(() => stream.closed, "the client was told");
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await until(() => logged(server, path).length > 0, "the call was logged");
    expect(logged(server, path)).toEqual([code === "ok" ? "resource_exhausted" : code]);
  });

  test("for standing still when it is no call", async () => {
    const server = await startServer({ unread: { stallMs: 200 } });
    onTestFinished(() => server.close());
    const stream = connectWithoutRoom(server).call("/healthz", "text/plain", "");
    await until(() => stream.closed, "the client was told");
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  test("over HTTP/1.1", async () => {
    const server = await serveLargeList({ answerMs: 200 });
    sendUnread(server, 1);
    await until(isGivenUp(server), "the call was given up");
    expect(server.log.filter(({ level }) => level === 50)).toEqual([]);
  });
});

describe("answers that are not read are refused from some size on", () => {
  const limits = { connectionBytes: 20 * mebibyte };

  test("on one HTTP/2 connection", async () => {
    const server = await serveLargeList(limits);
    const connection = connectWithoutRoom(server);
    const calls = Array.from({ length: 6 }, () => connection.call(path, "application/json", body));
    const heads = await Promise.all(calls.map((stream) => once(stream, "response")));
    const statuses = heads.map(([head]) => (head as Record<string, number>)[":status"]);
    expect(statuses.toSorted()).toEqual([200, 200, 429, 429, 429, 429]);
  });

  test("when they are small", async () => {
    const server = await serveLargeList({ totalBytes: 64 * 1024 }, 3 * 1024);
    const connection = connectWithoutRoom(server);
    let refused = 0;
    const calls = Array.from({ length: 20 }, () => {
      const stream = connection.call(path, "application/json", body);
      // What is not written yet is refused with an error, which is small; what is waits, and is given up.
      stream.on("response", ({ ":status": status }) => (refused += status === 429 ? 1 : 0));
      return stream;
    });
    const givenUp = (): number => calls.filter((stream) => stream.closed).length;
    await until(() => refused + givenUp() >= 15, "most were refused or given up");
    expect(new Set(logged(server, path)).isSubsetOf(new Set(["resource_exhausted"]))).toBe(true);
  });

  test("pipelined over HTTP/1.1", async () => {
    const server = await serveLargeList(limits);
    const socket = sendUnread(server, 6);
    await until(() => socket.bytesRead > 0, "the first answer has begun");
    let received = "";
    socket.removeAllListeners("readable");
    socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")));
    socket.resume();
    await until(() => received.split("HTTP/1.1 ").length === 7, "all answers have come");
    const statuses = [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    expect(statuses.filter((status) => status === "429").length).toBeGreaterThan(0);
    expect(statuses[0]).toBe("200");
  });
});

describe("answers that are given up make room for others", () => {
  test("when their calls are reset, one after the other on a connection", async () => {
    const server = await serveLargeList({ connectionBytes: 20 * mebibyte });
    const connection = connectWithoutRoom(server);
    for (let call = 1; call <= 6; call++) {
      const stream = connection.call(path, "application/json", body);
      const [head] = (await once(stream, "response")) as [Record<string, number>];
      expect(head[":status"]).toBe(200);
      stream.close(constants.NGHTTP2_CANCEL);
      await until(() => logged(server, path).length === call, "the call was logged");
    }
  });
});

test("large answers that are asked for all at once leave turns to others", async () => {
  const server = await serveLargeList({
    connectionBytes: 1024 * mebibyte,
    totalBytes: 2048 * mebibyte,
  });
  const connection = connectWithoutRoom(server);
  let begun = 0;
  const lists = Array.from({ length: 40 }, () =>
    once(connection.call(path, "application/json", body), "response").then(() => begun++),
  );
  const others = once(connectWithoutRoom(server).call("/healthz", "text/plain", ""), "response");
  await others;
  expect(begun).toBeLessThan(20);
  await Promise.all(lists);
});

test("a client that goes away in the middle of an answer over HTTP/1.1 is no failure", async () => {
  const server = await serveLargeList();
  const socket = sendUnread(server, 1);
  await until(() => socket.bytesRead > 0, "the answer has begun");
  socket.resetAndDestroy();
  await until(() => logged(server, path).includes("canceled"), "the call was logged");
  expect(server.log.filter(({ level }) => level === 50)).toEqual([]);
});

describe("watches that nobody reads", () => {
  const watchRequest = grpc.wrap(field(1, parent));

  test("leave their connection usable, 500 of them", async () => {
    const server = await serveLargeList({}, 32 * 1024);
    const connection = connectWithoutRoom(server);
    const watches = Array.from({ length: 500 }, () =>
      connection.call(watchPath, "application/grpc", watchRequest),
    );
    await Promise.all(watches.map((stream) => once(stream, "response")));
    const check = connection.call(
      `/${Health.typeName}/Check`,
      "application/grpc+json",
      grpc.wrap("{}"),
    );
    const [head] = (await once(check, "response")) as [Record<string, unknown>];
    expect(head[":status"]).toBe(200);
    expect(check.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test("end", async () => {
    const server = await serveLargeList({ stallMs: 100 });
    const stream = connectWithoutRoom(server).call(watchPath, "application/grpc", watchRequest);
    await until(() => stream.closed, "the watch ended");
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await until(() => logged(server, watchPath).length > 0, "the watch was logged");
    expect(logged(server, watchPath)).toEqual(["resource_exhausted"]);
  });
});
