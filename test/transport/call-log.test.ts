import { once } from "node:events";
import { connect, constants } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { callHead, flags, frame, openRaw, reset } from "../support/frames.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";

const listPath = `/${WasmExtensions.typeName}/ListWasmExtension`;
const watchPath = `/${Health.typeName}/Watch`;

/** The codes that the log has of calls. */
async function setUp() {
  const server = await startServer();
  onTestFinished(() => server.close());
  const session = connect(server.url);
  session.on("error", () => undefined);
  onTestFinished(() => {
    session.destroy();
  });
  await once(session, "remoteSettings");
  const open = (path: string, contentType: string, begin: Uint8Array | string) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": contentType,
    });
    stream.on("error", () => undefined);
    stream.write(begin);
    return stream;
  };
  const codes = (): unknown[] =>
    server.log.filter(({ msg }) => String(msg).startsWith("call")).map(({ code }) => code);
  return { port: server.port, open, codes };
}

test.each(["application/json", "application/grpc", "application/json; charset=utf-8"])(
  "a call of %s that ends before its request is complete was canceled",
  async (contentType) => {
    const { port, codes } = await setUp();
    const connection = openRaw(port);
    const { first, further } = callHead(listPath, contentType);
    // Two calls on one connection: one is reset, and one is open when the connection ends.
    for (const [stream, head] of [[1, first] as const, [3, further] as const]) {
      await connection.write(frame("HEADERS", flags.endHeaders, stream, head));
      await connection.write(frame("DATA", flags.none, stream, Buffer.from("{")));
    }
    const ping = frame("PING", flags.none, 0, Buffer.alloc(8));
    const before = connection.received().byteLength;
    await connection.write(ping);
    await until(() => connection.received().byteLength > before, "the server has read all");
    await connection.write(reset(1));
    await until(() => codes().length === 1, "the call is in the log");
    connection.socket.destroy();
    await until(() => codes().length === 2, "both calls are in the log");
    expect(codes()).toEqual(["canceled", "canceled"]);
  },
);

test("a watch that its client ends was canceled", async () => {
  const { open, codes } = await setUp();
  const stream = open(watchPath, "application/grpc", Buffer.alloc(5));
  stream.end();
  await once(stream, "response");
  stream.close(constants.NGHTTP2_CANCEL);
  await until(() => codes().length === 1, "the call is in the log");
  expect(codes()).toEqual(["canceled"]);
});
