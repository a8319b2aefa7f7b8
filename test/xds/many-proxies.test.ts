/* Many proxies on a real port, with a module that is large for all of them together. */
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { createAcme, ext, redIngress } from "../support/acme.ts";
import { AdsProxy } from "../support/ads-proxy.ts";
import { createFakeModules } from "../support/fake-modules.ts";
import { startServer } from "../support/server.ts";

const slot = `wasmext/all/gateway/${redIngress}`;

test("all get what is together more than may wait to be read, and no stream is given up", async () => {
  const modules = createFakeModules();
  const url = "oci://x/large:1";
  modules.set(url, Buffer.alloc(4_000_000, 1));
  const catalog = createAcme();
  await catalog.put("a", { phase: Phase.AUTHN, url });
  await catalog.attach(redIngress, [{ fqn: ext("a") }]);
  const { reader, journal } = catalog;
  await using server = await startServer({ catalog: { reader, journal }, modules });
  const proxies = Array.from({ length: 70 }, () => {
    const sessionManager = new Http2SessionManager(server.url);
    const transport = createGrpcTransport({ baseUrl: server.url, sessionManager });
    const proxy = new AdsProxy([slot]);
    proxy.connect(transport);
    return {
      proxy,
      close: () => {
        sessionManager.abort();
      },
    };
  });
  const allRun = (config: string | undefined): Promise<void> =>
    expect
      .poll(
        () =>
          proxies.filter(({ proxy }) => {
            const [filter] = proxy.filters(slot);
            return filter?.name === ext("a") && filter.config === config;
          }).length,
        { timeout: 15_000 },
      )
      .toBe(proxies.length);
  try {
    await allRun(undefined);
    await catalog.attach(redIngress, [{ fqn: ext("a"), config: { n: 1 } }]);
    await allRun('{"n":1}');
    expect(proxies.map(({ proxy }) => proxy.error).filter((error) => error !== undefined)).toEqual(
      [],
    );
  } finally {
    await Promise.all(proxies.map(({ proxy }) => proxy.disconnect()));
    proxies.forEach(({ close }) => {
      close();
    });
  }
});
