/*
 * A server on loopback answers requests for loopback alone: a web page can have its own name resolve
 * to 127.0.0.1, and browsers let it read what that server answers then.
 */
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectError, grpc } from "../support/dialects.ts";
import { said } from "../support/errors.ts";
import { overHttp1, overHttp2, overTcp, type Received, type Sent } from "../support/exchange.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { listPath } from "../support/target.ts";

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({
    allowedHosts: ["Catalog.test"],
    allowedOrigins: ["https://console.test"],
  });
});
afterAll(() => server.close());

const list = {
  path: listPath,
  headers: { "content-type": "application/json" },
  body: '{"parent":"organizations/acme"}',
};

function with1(headers: Record<string, string>, sent: Partial<Sent> = {}): Promise<Received> {
  return overHttp1(server.port, { ...list, ...sent, headers: { ...list.headers, ...headers } });
}

function with2(headers: Record<string, string>): Promise<Received> {
  return overHttp2(server.port, { ...list, headers: { ...list.headers, ...headers } });
}

describe.each([
  ["HTTP/1.1", (host: string) => with1({ host })],
  ["HTTP/2", (host: string) => with2({ ":authority": host })],
] as const)("over %s", (_version, call) => {
  test.each([
    "localhost",
    "LocalHost:8080",
    "localhost.",
    "127.0.0.1:1",
    "127.255.0.9",
    "[::1]:9000",
    "a.localhost",
    "catalog.test",
    "CATALOG.test:8080",
  ])("a request for %s is answered", async (host) => {
    expect((await call(host)).status).toBe(200);
  });

  test.each([
    "evil.test",
    "evil.test:8080",
    "localhost.evil.test",
    "127.0.0.1.evil.test",
    "notlocalhost",
    "10.0.0.1",
    "[::2]",
    "0.0.0.0",
    "sub.catalog.test",
  ])("a request for %s is refused", async (host) => {
    const answer = await call(host);
    expect(answer.status).toBe(403);
    const { code, reason, message } = said(connectError(answer) ?? expect.fail("answered"));
    expect({ code, reason }).toEqual({ code: Code.PermissionDenied, reason: "HOST_NOT_ALLOWED" });
    expect(message).toContain("--allow-host");
  });
});

test("a gRPC call for another host gets a gRPC status", async () => {
  const headers = { ":authority": "evil.test", te: "trailers" };
  const error = await grpc.send(server.port, { path: listPath, headers, body: grpc.wrap("") });
  expect(error?.code).toBe(Code.PermissionDenied);
});

test.each(["/healthz", "/readyz", "/nope"])("%s is refused for another host", async (path) => {
  expect((await with1({ host: "evil.test" }, { path, method: "GET", body: "" })).status).toBe(403);
});

test("a host with a user is refused", async () => {
  expect((await with1({ host: "localhost@evil.test" })).status).toBe(403);
});

test("the host in an absolute target counts", async () => {
  const answer = await overTcp(
    server.port,
    "GET http://evil.test/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  );
  expect(answer.toString()).toContain("HTTP/1.1 403");
});

test("a health check over HTTP/1.0, which knows no host, is answered", async () => {
  const answer = await overTcp(server.port, "GET /healthz HTTP/1.0\r\n\r\n");
  expect(answer.toString()).toContain("HTTP/1.1 200");
});

describe("of web pages", () => {
  test.each([
    ["that may call", { origin: "https://console.test" }],
    ["of the server's own name", { host: "catalog.test:80", origin: "http://catalog.test:80" }],
    ["of the server's own address", { host: "127.0.0.1:80", origin: "http://127.0.0.1" }],
  ])("one %s is answered", async (_what, headers) => {
    const { host, origin } = { host: "localhost", ...headers };
    const same = host.replace(/:80$/, "");
    expect((await with1({ host: same, origin: origin.replace(/:80$/, "") })).status).toBe(200);
  });

  test.each(["http://evil.test", "null", "https://console.test.evil", "http://localhost:3000"])(
    "one of %s is refused, where origins are listed",
    async (origin) => {
      const answer = await with1({ host: "localhost", origin });
      expect(answer.status).toBe(403);
      expect(answer.headers.has("access-control-allow-origin")).toBe(false);
      const { reason, message } = said(connectError(answer) ?? expect.fail("answered"));
      expect(reason).toBe("ORIGIN_NOT_ALLOWED");
      expect(message).toContain("--allow-origin");
    },
  );

  test("a preflight of a page that may not call is refused", async () => {
    const answer = await with1(
      { host: "localhost", origin: "http://evil.test" },
      { method: "OPTIONS" },
    );
    expect(answer.status).toBe(403);
  });

  test("pages on loopback may call, where none are listed", async () => {
    await using plain = await startServer();
    const call = (origin: string): Promise<Received> =>
      overHttp1(plain.port, { ...list, headers: { ...list.headers, host: "localhost", origin } });
    expect((await call("http://localhost:3000")).status).toBe(200);
    expect((await call("http://evil.test")).status).toBe(403);
  });
});

test("a server on all addresses cannot know its names, and answers for any", async () => {
  await using open = await startServer({ host: "0.0.0.0" });
  const headers = { ...list.headers, host: "catalog.example.com", origin: "http://page.test" };
  expect((await overHttp1(open.port, { ...list, headers })).status).toBe(200);
});
