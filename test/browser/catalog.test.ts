import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAcme, ext, redIngress } from "../support/acme.ts";
import { type Manifest, objections } from "../support/istio.ts";
import { startServer } from "../support/server.ts";
import { type Protocol, protocols } from "./protocols.ts";
import { noteArrivals } from "./support/arrivals.ts";
import { answer, type Browser, type OpenPage, refusal, startBrowser } from "./support/browser.ts";

const parent = "organizations/acme";
const fqn = `${parent}/extensions/geo`;
const wasmExtension = {
  displayName: "Geo – wo bist du? 🌍",
  allowedIn: [`${parent}/tenants/red`],
  url: "oci://registry.example.com/geo:1",
  phase: "AUTHZ",
  priority: -7,
  config: { rate: 0.5, list: [null, true, "ü", {}] },
  vmConfig: { env: [{ name: "HOME", valueFrom: "HOST" }] },
  match: { mode: "SERVER" },
};

/** Are closed after the browser, when no open connection is left for them to wait for. */
const servers = new AsyncDisposableStack();
let browser: Browser;
let page: OpenPage;

beforeAll(async () => {
  browser = await startBrowser();
  page = await browser.openPage();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await servers.disposeAsync();
});

describe.each(protocols)("a page that speaks %s", (protocol) => {
  test("creates, gets, lists, updates and deletes an extension", async () => {
    const server = servers.use(await startServer());
    const route = { url: server.url, protocol };

    const created = await answer(
      page.call(route, "createWasmExtension", { parent, name: "geo", wasmExtension }),
    );
    expect(created).toMatchObject({ ...wasmExtension, fqn });
    expect(await answer(page.call(route, "getWasmExtension", { fqn }))).toEqual(created);

    const changed = { ...(created as JsonObject), priority: 3 };
    const updated = await answer(page.call(route, "updateWasmExtension", changed));
    expect(updated).toEqual({ ...changed, etag: (updated as JsonObject)["etag"] });
    expect(updated).not.toHaveProperty("etag", (created as JsonObject)["etag"]);
    expect(await answer(page.call(route, "getWasmExtension", { fqn }))).toEqual(updated);

    const first = await answer(
      page.call(route, "createWasmExtension", {
        parent,
        name: "first",
        wasmExtension: { url: "https://example.com/first.wasm", phase: "AUTHN" },
      }),
    );
    expect(await answer(page.call(route, "listWasmExtension", { parent }))).toEqual({
      extensions: [first, updated],
    });

    expect(await answer(page.call(route, "deleteWasmExtension", { fqn }))).toEqual({});
    expect(await answer(page.call(route, "listWasmExtension", { parent }))).toEqual({
      extensions: [first],
    });
    const gone = await refusal(page.call(route, "getWasmExtension", { fqn }));
    expect(gone.code).toBe(Code.NotFound);
  });
});

describe("an export", () => {
  test.each(protocols)(
    "reaches a page over %s, as the manifests that Kubernetes takes",
    async (protocol) => {
      const catalog = createAcme();
      await catalog.put("geo", { priority: 0 });
      await catalog.attach(redIngress, [{ fqn: ext("geo") }], { namespace: "ns" });
      const server = servers.use(await startServer({ catalog: catalog }));
      const route = { url: server.url, protocol };
      const exported = await answer(page.call(route, "exportIstio", { parent: redIngress }));
      const { wasmPlugins } = exported as unknown as { wasmPlugins: Manifest[] };
      expect(wasmPlugins).toMatchObject([{ kind: "WasmPlugin", spec: { priority: 0 } }]);
      expect(wasmPlugins.flatMap(objections)).toEqual([]);
    },
  );
});

describe("the server gets", () => {
  test.each<[Protocol, string, string]>([
    ["gRPC-Web", "POST", "application/grpc-web+proto"],
    ["Connect with JSON", "POST", "application/json"],
    ["Connect with binary", "POST", "application/proto"],
  ])("reads over %s after the browser asked for leave", async (protocol, verb, contentType) => {
    const server = servers.use(await startServer());
    using arrivals = noteArrivals(server.port);
    await answer(page.call({ url: server.url, protocol }, "listWasmExtension", { parent }));
    expect(arrivals.all).toEqual([
      { verb: "OPTIONS", contentType: undefined },
      { verb, contentType },
    ]);
  });

  test.each<Protocol>(["Connect with GET and JSON", "Connect with GET and binary"])(
    "reads over %s as one plain GET",
    async (protocol) => {
      const server = servers.use(await startServer());
      using arrivals = noteArrivals(server.port);
      await answer(page.call({ url: server.url, protocol }, "listWasmExtension", { parent }));
      expect(arrivals.all).toEqual([{ verb: "GET", contentType: undefined }]);
    },
  );
});
