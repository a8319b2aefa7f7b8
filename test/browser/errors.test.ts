import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { protocols } from "./protocols.ts";
import { answer, type Browser, type OpenPage, refusal, startBrowser } from "./support/browser.ts";

const parent = "organizations/acme";
const url = "https://example.com/geo.wasm";

let browser: Browser;
let page: OpenPage;
let server: RunningServer;

beforeAll(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.openPage();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await server.close();
});

describe.each(protocols)("a page that speaks %s learns", (protocol) => {
  const route = () => ({ url: server.url, protocol });

  test("which fields are invalid", async () => {
    const wasmExtension = { url: "ftp://x", vmConfig: { env: [{ name: "A" }, { name: "1" }] } };
    const request = { parent, name: "geo", wasmExtension };
    const error = await refusal(page.call(route(), "createWasmExtension", request));
    expect(error).toMatchObject({
      code: Code.InvalidArgument,
      reason: "INVALID_FIELDS",
      domain: "wasmext",
    });
    expect(error.fields).toContain("wasm_extension.url");
    expect(error.fields).toContain("wasm_extension.vm_config.env[1].name");
  });

  test("that an extension does not exist, and which", async () => {
    const fqn = `${parent}/extensions/fehlt`;
    const error = await refusal(page.call(route(), "getWasmExtension", { fqn }));
    expect(error).toEqual({
      code: Code.NotFound,
      message: expect.stringContaining(`${fqn} does not exist`) as string,
      reason: "NOT_FOUND",
      domain: "wasmext",
      metadata: { fqn },
      fields: [],
    });
  });

  test("that an extension has changed since it was read", async () => {
    const name = `stale-${protocols.indexOf(protocol)}`;
    const fqn = `${parent}/extensions/${name}`;
    await answer(
      page.call(route(), "createWasmExtension", { parent, name, wasmExtension: { url } }),
    );
    const stale = { fqn, url, etag: '"AAAAAAAAAAA="', priority: 1 };
    const error = await refusal(page.call(route(), "updateWasmExtension", stale));
    expect(error).toMatchObject({
      code: Code.Aborted,
      reason: "ETAG_MISMATCH",
      domain: "wasmext",
      metadata: { fqn },
    });
  });

  test("what is wrong with a text that is not ASCII", async () => {
    const fqn = "organizations/acme/extensions/größe 100%";
    const error = await refusal(page.call(route(), "getWasmExtension", { fqn }));
    expect(error).toMatchObject({ code: Code.InvalidArgument, fields: ["fqn"] });
    expect(error.message).toContain("größe 100%");
  });

  test("that a path leads to no method", async () => {
    const elsewhere = { url: `${server.url}/elsewhere`, protocol };
    const error = await refusal(page.call(elsewhere, "listWasmExtension", { parent }));
    expect(error).toMatchObject({
      code: Code.Unimplemented,
      reason: "UNKNOWN_METHOD",
      domain: "wasmext",
    });
  });
});
