/* What HTTP itself says in the head of a request, and what is answered before the body is sent. */
import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { overTcp } from "../support/exchange.ts";
import { getPath, useTarget } from "../support/target.ts";

const target = useTarget();
const body = JSON.stringify({ fqn: "organizations/acme/extensions/witness" });
const tooLong = 64 * 1024 * 1024;

function head(...lines: string[]): string {
  const own = [`POST ${getPath} HTTP/1.1`, "Host: localhost", "Content-Type: application/json"];
  return [...own, ...lines, "", ""].join("\r\n");
}

describe("a transfer coding besides chunked is refused with 501:", () => {
  test.each(["gzip, chunked", "deflate, chunked", "chunked, chunked", "x-new,chunked"])(
    "%s",
    async (coding) => {
      const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
      const sent = `${head(`Transfer-Encoding: ${coding}`, "Connection: close")}${chunks}`;
      const answer = (await overTcp(target.port, sent)).toString();
      expect(answer).toMatch(/^HTTP\/1\.1 (?:501|400) /);
      expect(answer).not.toContain("witness");
    },
  );

  test.each(["chunked", "Chunked"])("and %s alone is not", async (coding) => {
    const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const sent = `${head(`Transfer-Encoding: ${coding}`, "Connection: close")}${chunks}`;
    expect((await overTcp(target.port, sent)).toString()).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("a client that waits with its body until it is told to send it", () => {
  test("is refused at once over HTTP/1.1 if the body is to be too long", async () => {
    const sent = head("Expect: 100-continue", `Content-Length: ${tooLong}`);
    const answer = (await overTcp(target.port, sent)).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 429 /);
    expect(answer).toContain('"resource_exhausted"');
  });

  test.each([
    [
      "an unknown method",
      head("Expect: 100-continue", "Content-Length: 2").replace("/Get", "/Got"),
    ],
    [
      "another content type",
      head("Expect: 100-continue", "Content-Length: 2").replace("json", "x"),
    ],
  ])("is refused at once over HTTP/1.1 for %s", async (_what, sent) => {
    expect((await overTcp(target.port, sent)).toString()).toMatch(/^HTTP\/1\.1 4/);
  });

  test("is told to over HTTP/1.1, and answered", async () => {
    const length = `Content-Length: ${body.length}`;
    const sent = `${head("Expect: 100-continue", length, "Connection: close")}${body}`;
    expect((await overTcp(target.port, sent)).toString()).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
    );
  });

  test.each([
    ["refused at once over HTTP/2 if the body is to be too long", tooLong, 0, 429],
    ["told to over HTTP/2, and answered", body.length, 1, 200],
  ])("is %s", async (_what, length, continues, status) => {
    const headers = { "content-length": String(length), expect: "100-continue" };
    const answer = await overStream({ ":method": "POST", ":path": getPath, ...headers }, body);
    expect(answer).toEqual({ continues, status });
  });
});

describe("a stream of HTTP/2 ends with its answer, though the client keeps it open:", () => {
  test("CONNECT", async () => {
    const answer = await overStream({ ":method": "CONNECT", ":authority": "localhost" });
    expect(answer.status).toBe(405);
  });

  test("an unknown expectation", async () => {
    const headers = { ":method": "POST", ":path": getPath, expect: "202-soon" };
    expect((await overStream(headers)).status).toBe(417);
  });
});

/** Opens a stream, sends a body when it is asked to, and never ends what has no body. */
async function overStream(headers: Record<string, string>, content?: string) {
  const session = connectHttp2(`http://127.0.0.1:${target.port}`);
  const stream = session.request(
    { "content-type": "application/json", ...headers },
    { endStream: false, signal: AbortSignal.timeout(5_000) },
  );
  let continues = 0;
  stream.on("continue", () => {
    continues++;
    stream.end(content);
  });
  const closed = once(stream, "close");
  const [response] = (await once(stream, "response")) as [Record<string, number>];
  await text(stream);
  await closed;
  expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  session.close();
  return { continues, status: response[":status"] };
}
