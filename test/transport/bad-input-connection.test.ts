import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { dialects, grpc } from "../support/dialects.ts";
import { overTcp } from "../support/exchange.ts";
import { createPath, useTarget } from "../support/target.ts";
import { createRequest, createRequestJson } from "../support/wire.ts";

const target = useTarget({ requestTimeoutMs: 100, connections: { headerTimeoutMs: 100 } });
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const post = (version: string, ...headers: string[]): string =>
  [
    `POST ${createPath} HTTP/${version}`,
    ...headers,
    "Content-Type: application/json",
    "Content-Length: 2",
    "",
    "{}",
  ].join("\r\n");

describe("a connection is ended", () => {
  test.each([
    ["that sends nothing", ""],
    ["that sends half a preface", preface.slice(0, 12)],
  ])("%s", async (_, bytes) => {
    expect(await overTcp(target.port, bytes)).toHaveLength(0);
  });

  test("that sends garbage after the preface", async () => {
    const answer = await overTcp(target.port, `${preface}${"garbage ".repeat(8)}`);
    expect(answer.toString("latin1")).toContain("SETTINGS expected");
  });

  test.each([
    ["garbage", "garbage\r\n\r\n"],
    ["a greeting in TLS", Buffer.from([22, 3, 1, 0, 5, 1, 2, 3, 4, 5])],
    ["HTTP/1.1 without a Host", post("1.1")],
    ["two lengths", post("1.1", "Host: localhost", "Transfer-Encoding: chunked")],
    ["a header with a NUL", post("1.1", "Host: localhost", "X-A: \0")],
  ])("that sends %s", async (_, bytes) => {
    expect(await status(bytes)).toBe("HTTP/1.1 400 Bad Request");
  });

  test.each([
    ["1000 headers", Array.from({ length: 1000 }, (_, index) => `x-${index}: y`)],
    ["a header of 20,000 bytes", [`x: ${"y".repeat(20_000)}`]],
  ])("that sends %s", async (_, headers) => {
    expect(await status(post("1.1", "Host: localhost", ...headers))).toContain("HTTP/1.1 431");
  });

  async function status(bytes: Uint8Array | string): Promise<string | undefined> {
    return (await overTcp(target.port, bytes)).toString("latin1").split("\r\n")[0];
  }
});

test.each([
  ["HTTP/1.0 without a Host", post("1.0")],
  ["a Host with spaces", post("1.1", "Host: localhost x", "Connection: close")],
  ["a Host that is half an address", post("1.1", "Host: [::1", "Connection: close")],
  ["an empty Host", post("1.1", "Host:", "Connection: close")],
  ["a Host with a port that is none", post("1.1", "Host: localhost:99999", "Connection: close")],
])("%s is refused", async (_, bytes) => {
  const [head = "", body = ""] = (await overTcp(target.port, bytes)).toString().split("\r\n\r\n");
  expect(head).toContain("HTTP/1.1 400");
  expect(JSON.parse(body)).toMatchObject({
    code: "invalid_argument",
    details: [
      { type: "google.rpc.ErrorInfo", debug: { reason: "INVALID_HOST", domain: "wasmext" } },
      { type: "google.rpc.BadRequest" },
      { type: "buf.validate.Violations" },
    ],
  });
});

describe.each(dialects)("$name: a request that is never complete", (dialect) => {
  const body = dialect.wrap(dialect.format === "json" ? createRequestJson() : createRequest());
  test.each([
    ["for want of its end", { body, chunked: true }],
    ["for want of half of it", { body: body.subarray(0, 9), chunked: true }],
    ["for want of a body", { body: "", chunked: true }],
    ["by its length", { body, headers: { "content-length": "1000" } }],
  ])("%s", async (_, sent) => {
    const { code, reason } = await target.refuses(dialect, { ...sent, unfinished: true });
    expect(Code[code]).toBe("DeadlineExceeded");
    expect(reason).toBe("REQUEST_TIMEOUT");
  });
});

test("a head that never ends is given up in time", async () => {
  const answer = await overTcp(target.port, "POST / HTTP/1.1\r\nHost: localhost\r\nX: ", {
    patienceMs: 2_000,
  });
  expect(answer.toString()).toContain("HTTP/1.1 408");
});

test("a body that never ends is answered, and its connection ended", async () => {
  const answer = await overTcp(target.port, post("1.1", "Host: localhost").slice(0, -1), {
    patienceMs: 3_000,
  });
  expect(answer.toString()).toContain("HTTP/1.1 504");
  expect(answer.toString()).toContain("Connection: close");
});

describe("over HTTP/2, nothing stays open", () => {
  const patienceMs = 500;

  test("after the client has ended the connection", async () => {
    const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    const bytes = Buffer.concat([Buffer.from(preface), emptySettings]);
    await overTcp(target.port, bytes, { ends: true, patienceMs });
  });

  test("of a call that has been answered", async () => {
    const session = connectHttp2(`http://127.0.0.1:${target.port}`);
    const headers = { "content-type": grpc.contentType, te: "trailers" };
    const stream = session.request(
      { ":method": "POST", ":path": createPath, ...headers },
      { endStream: false },
    );
    stream.resume().write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
    try {
      await once(stream, "close", { signal: AbortSignal.timeout(patienceMs) });
    } finally {
      stream.close(constants.NGHTTP2_CANCEL);
      session.close();
    }
  });
});
