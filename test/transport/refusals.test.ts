/* How refusals look to clients of each protocol, and to the connections that they come on. */
import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import { endStreamFlag, endStreamFromJson } from "@connectrpc/connect/protocol-connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { describe, expect, test } from "vitest";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { connectJson, connectProto, dialects, grpc, grpcWeb } from "../support/dialects.ts";
import { said } from "../support/errors.ts";
import { overHttp1, overHttp2 } from "../support/exchange.ts";
import { createPath, getPath, healthPath, useTarget } from "../support/target.ts";
import { createRequest, field } from "../support/wire.ts";

const target = useTarget();
const mebibyte = 1024 * 1024;
const watchPath = `/${WatchService.typeName}/Watch`;

describe("over HTTP/2, a gRPC refusal is its headers alone:", () => {
  test.each([
    ["an unknown method", { path: "/nope.Nope/Nope", body: grpc.wrap("") }],
    ["another content type", { type: "application/grpc+thrift", body: grpc.wrap("") }],
    ["an unknown compression", { encoding: "snappy", body: grpc.wrap("x", 1) }],
    ["a message that cannot be read", { body: grpc.wrap(Buffer.from([0xff])) }],
    ["a stream that cannot be read", { path: watchPath, body: grpc.wrap(Buffer.from([0xff])) }],
  ])("%s", async (_what, sent) => {
    const session = connectHttp2(`http://127.0.0.1:${target.port}`);
    const {
      path = createPath,
      type = "application/grpc",
      encoding,
      body,
    } = {
      encoding: undefined,
      ...sent,
    } as { path?: string; type?: string; encoding?: string; body: Uint8Array };
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": type,
      te: "trailers",
      ...(encoding !== undefined && { "grpc-encoding": encoding }),
    });
    stream.end(body);
    const [headers, flags] = (await once(stream, "response")) as [Record<string, string>, number];
    expect(headers["grpc-status"]).toMatch(/^[1-9]/);
    expect(flags & constants.NGHTTP2_FLAG_END_STREAM).toBe(constants.NGHTTP2_FLAG_END_STREAM);
    session.close();
  });
});

test.each([
  [grpc, "grpc-accept-encoding"],
  [grpcWeb, "grpc-accept-encoding"],
  [connectProto, "accept-encoding"],
] as const)("%o: an unknown compression is told which there are", async (dialect, header) => {
  const exchange = dialect === grpc ? overHttp2 : overHttp1;
  const { headers } = await exchange(target.port, {
    path: getPath,
    headers: { "content-type": dialect.contentType, [dialect.encodingHeader]: "snappy" },
    body: dialect.wrap("x", 1),
  });
  expect(headers.get(header)).toBe("gzip,br");
});

describe("each refusal has a remedy of its own:", () => {
  const refusal = async (sent: Parameters<typeof target.refuses>[1], dialect = connectJson) =>
    (await target.refuses(dialect, { path: getPath, ...sent })).message;

  test("a timeout that is none", async () => {
    const headers = { "connect-timeout-ms": "soon" };
    expect(await refusal({ headers, body: "{}" })).toContain("milliseconds");
    const grpcHeaders = { "grpc-timeout": "5 s" };
    expect(await refusal({ headers: grpcHeaders, body: grpc.wrap("") }, grpc)).toContain("500m");
  });
  test("a body that gzip does not make", async () => {
    const headers = { "content-encoding": "gzip" };
    expect(await refusal({ headers, body: "{}" })).toContain("compress the whole message again");
  });
  test("an empty body", async () => {
    expect(await refusal({ body: "" })).toContain("send {}");
  });
  test("half an object", async () => {
    expect(await refusal({ body: "{" })).toContain("send valid JSON");
  });
  test("a field that there is not", async () => {
    expect(await refusal({ body: '{"x":1}' })).toContain("proto");
  });
  test("half an envelope", async () => {
    const body = grpc.wrap("abc").subarray(0, 6);
    expect(await refusal({ body }, grpc)).toContain("as many bytes as it announces");
  });
});

describe("Connect streams are read like other calls:", () => {
  const watch = async (json: Uint8Array | string, headers: Record<string, string> = {}) => {
    const flags = "connect-content-encoding" in headers ? 1 : 0;
    const { status, body } = await overHttp1(target.port, {
      path: watchPath,
      headers: { "content-type": "application/connect+json", ...headers },
      body: encodeEnvelope(flags, Buffer.from(json)),
    });
    expect(status).toBe(200);
    expect(body[0]).toBe(endStreamFlag);
    return said(endStreamFromJson(body.subarray(5)).error ?? new ConnectError("no error"));
  };

  test("JSON that cannot be read names its field", async () => {
    const { code, fields } = await watch('{"parent":1}');
    expect({ code, fields }).toEqual({ code: Code.InvalidArgument, fields: ["parent"] });
  });
  test("so does compressed JSON", async () => {
    const { fields } = await watch(gzipSync('{"parent":1}'), {
      "connect-content-encoding": "gzip",
    });
    expect(fields).toEqual(["parent"]);
  });
  test("far too many values are refused", async () => {
    const { reason } = await watch(`{"parent":[${"0,".repeat(30_000)}0]}`);
    expect(reason).toBe("TOO_MANY_VALUES");
  });
  test("an unknown compression is refused", async () => {
    const { code } = await watch("{}", { "connect-content-encoding": "snappy" });
    expect(code).toBe(Code.Unimplemented);
  });
});

describe("over HTTP/1.1, a request that is too large leaves no connection in doubt:", () => {
  const tooLarge = [
    ["Connect", "application/json", createPath, false],
    ["Connect, in chunks", "application/json", createPath, true],
    ["gRPC-Web", "application/grpc-web+proto", createPath, false],
    ["gRPC-Web, in chunks", "application/grpc-web+proto", createPath, true],
    ["a Connect stream", "application/connect+json", watchPath, false],
    ["a Connect stream, in chunks", "application/connect+json", watchPath, true],
    ["an unknown method", "application/json", "/nope.Nope/Nope", true],
    ["an unknown content type", "text/plain", createPath, false],
  ] as const;

  test.each(tooLarge.flatMap((sent) => [4.1, 4.5, 9].map((size) => [...sent, size] as const)))(
    "%s to %s %s (chunked: %s), %d MiB",
    async (_name, contentType, path, chunked, size) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const body = Buffer.alloc(size * mebibyte);
      body.writeUInt32BE(body.length - 5, 1);
      const headers = {
        "content-type": contentType,
        ...(chunked ? {} : { "content-length": String(body.length) }),
      };
      const request = httpRequest({
        ...{ host: "127.0.0.1", port: target.port, path, method: "POST", agent, headers },
      });
      request.on("error", () => undefined);
      request.write(body);
      request.end();
      const [response] = (await once(request, "response")) as [NodeJS.ReadableStream];
      await text(response);

      const next = httpRequest({
        ...{ host: "127.0.0.1", port: target.port, path: healthPath, method: "POST", agent },
        headers: { "content-type": "application/json" },
        signal: AbortSignal.timeout(5_000),
      });
      next.end("{}");
      const [answer] = (await once(next, "response")) as [NodeJS.ReadableStream];
      expect(await text(answer)).toContain("SERVING");
      agent.destroy();
    },
  );
});

test("a small request that is refused leaves its connection open", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  for (let index = 0; index < 3; index++) {
    const request = httpRequest({
      ...{ host: "127.0.0.1", port: target.port, path: "/nope", method: "POST", agent },
    });
    request.end("x".repeat(1000));
    await once(request, "response").then(([response]) => text(response as NodeJS.ReadableStream));
    ports.add(request.socket?.localPort);
  }
  expect(ports.size).toBe(1);
  agent.destroy();
});

describe.each(dialects)("$name", (dialect) => {
  test("far too much is refused before it is read, whatever the method", async () => {
    const body =
      dialect.format === "json"
        ? `{"service":[${"[],".repeat(30_000)}[]]}`
        : Buffer.alloc(2 * 130_000, field(1, ""));
    const { code, reason } = await target.refuses(dialect, {
      path: healthPath,
      body: dialect.wrap(body),
    });
    expect({ code, reason }).toEqual({ code: Code.InvalidArgument, reason: "TOO_MANY_VALUES" });
  });

  test("so are far too many groups, one in the other or one after the other", async () => {
    if (dialect.format === "json") {
      return;
    }
    const flat = Buffer.concat([
      Buffer.from([0xa3, 0x06]),
      Buffer.alloc(4 * 130_000, Buffer.from([0xa3, 0x06, 0xa4, 0x06])),
      Buffer.from([0xa4, 0x06]),
    ]);
    const { reason } = await target.refuses(dialect, {
      body: dialect.wrap(Buffer.concat([createRequest(), flat])),
    });
    expect(reason).toBe("TOO_MANY_VALUES");
  });
});
