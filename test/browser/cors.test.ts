import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServer } from "../support/server.ts";
import { protocols } from "./protocols.ts";
import { noteArrivals } from "./support/arrivals.ts";
import { answer, type Browser, type OpenPage, refusal, startBrowser } from "./support/browser.ts";

const parent = "organizations/acme";
const creation = { parent, name: "geo", wasmExtension: { url: "https://example.com/geo.wasm" } };

/** Are closed after the browser, when no open connection is left for them to wait for. */
const servers = new AsyncDisposableStack();
let browser: Browser;
let page: OpenPage;
let elsewhere: OpenPage;

beforeAll(async () => {
  browser = await startBrowser();
  [page, elsewhere] = await Promise.all([browser.openPage(), browser.openPageFromElsewhere()]);
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await servers.disposeAsync();
});

describe.each(protocols)("over %s", (protocol) => {
  test("a server on loopback answers pages on loopback", async () => {
    const server = servers.use(await startServer());
    const call = page.call({ url: server.url, protocol }, "listWasmExtension", { parent });
    expect(await answer(call)).toEqual({});
  });

  test("a server on loopback refuses pages from elsewhere", async () => {
    const server = servers.use(await startServer());
    const call = elsewhere.call({ url: server.url, protocol }, "listWasmExtension", { parent });
    expect(await refusal(call)).toMatchObject(notFetched);
  });

  test("a server with a list of origins refuses all others, loopback too", async () => {
    const server = servers.use(
      await startServer({ allowedOrigins: ["https://console.example.com"] }),
    );
    for (const other of [page, elsewhere]) {
      const call = other.call({ url: server.url, protocol }, "listWasmExtension", { parent });
      expect(await refusal(call)).toMatchObject(notFetched);
    }
  });

  test("a server with a list of origins answers those on it", async () => {
    const server = servers.use(
      await startServer({
        allowedOrigins: ["https://console.example.com", page.origin, elsewhere.origin],
      }),
    );
    for (const listed of [page, elsewhere]) {
      const call = listed.call({ url: server.url, protocol }, "listWasmExtension", { parent });
      expect(await answer(call)).toEqual({});
    }
  });

  test("a server that allows * answers pages from everywhere", async () => {
    const server = servers.use(await startServer({ allowedOrigins: ["*"] }));
    for (const any of [page, elsewhere]) {
      const call = any.call({ url: server.url, protocol }, "listWasmExtension", { parent });
      expect(await answer(call)).toEqual({});
    }
  });

  test("a page may send its token and a deadline", async () => {
    const server = servers.use(await startServer());
    const headers = { Authorization: "Bearer token", "X-Tetrate-Token": "token" };
    const route = { url: server.url, protocol, headers, deadlineMs: 10_000 };
    expect(await answer(page.call(route, "listWasmExtension", { parent }))).toEqual({});
  });

  test("a page that is refused writes nothing", async () => {
    const server = servers.use(await startServer());
    using arrivals = noteArrivals(server.port);
    const call = elsewhere.call({ url: server.url, protocol }, "createWasmExtension", creation);
    expect(await refusal(call)).toMatchObject(notFetched);
    expect(arrivals.all).toEqual([{ verb: "OPTIONS", contentType: undefined }]);
  });
});

test("a page that is refused writes nothing by posting as a form does", async () => {
  const server = servers.use(await startServer());
  using arrivals = noteArrivals(server.port);
  const method = "/tetrateio.api.tsb.extension.v2.WasmExtensions/CreateWasmExtension";
  await elsewhere.postUnasked(server.url + method, JSON.stringify(creation));
  expect(arrivals.all).toEqual([{ verb: "POST", contentType: "text/plain;charset=UTF-8" }]);

  const route = { url: server.url, protocol: "Connect with JSON" } as const;
  expect(await answer(page.call(route, "listWasmExtension", { parent }))).toEqual({});
});

/** The browser keeps the answer from the page, which learns nothing of it. */
const notFetched = { code: Code.Unknown, message: "Failed to fetch", reason: undefined };
