import { once } from "node:events";
import { connect, constants } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  GetWasmExtensionRequestSchema,
  ListWasmExtensionRequestSchema,
  WasmExtensions,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { acme, createAcme, ext } from "../support/acme.ts";
import { startServer } from "../support/server.ts";

function enveloped(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

test("large answers that clients refuse leave their connection usable", async () => {
  const catalog = createAcme();
  for (let index = 0; index < 4; index++) {
    await catalog.put(`x${index}`, { description: "x".repeat(3_000_000) });
  }
  await using server = await startServer({ catalog: catalog });
  const session = connect(server.url);
  const call = (method: string, message: Uint8Array) => {
    const stream = session.request({
      ":method": "POST",
      ":path": `/tetrateio.api.tsb.extension.v2.WasmExtensions/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => undefined);
    stream.end(enveloped(message));
    return stream;
  };
  const list = toBinary(
    ListWasmExtensionRequestSchema,
    create(ListWasmExtensionRequestSchema, { parent: acme }),
  );
  for (let round = 0; round < 5; round++) {
    const stream = call("ListWasmExtension", list);
    await once(stream, "data");
    stream.close(constants.NGHTTP2_CANCEL);
    await once(stream, "close");
  }
  const get = toBinary(
    GetWasmExtensionRequestSchema,
    create(GetWasmExtensionRequestSchema, { fqn: ext("none") }),
  );
  const stream = call("GetWasmExtension", get);
  const [headers] = (await once(stream, "response")) as [Record<string, string>];
  expect(headers[":status"]).toBe(200);
  session.destroy();
});

test("a large answer reaches a client that reads it, whole", async () => {
  const catalog = createAcme();
  for (let index = 0; index < 4; index++) {
    await catalog.put(`x${index}`, { description: "x".repeat(3_000_000) });
  }
  await using server = await startServer({ catalog: catalog });
  const sessionManager = new Http2SessionManager(server.url);
  const transport = createGrpcTransport({ baseUrl: server.url, sessionManager });
  const { extensions } = await createClient(WasmExtensions, transport).listWasmExtension({
    parent: acme,
  });
  expect(extensions.map(({ description }) => description.length)).toEqual(
    Array.from({ length: 4 }, () => 3_000_000),
  );
  sessionManager.abort();
});
