/* `wasmext wait` as a process, with a proxy that runs what it is sent. */
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { createAcme, ext, redIngress } from "../support/acme.ts";
import { AdsProxy } from "../support/ads-proxy.ts";
import { createFakeModules } from "../support/fake-modules.ts";
import { startProcess } from "../support/process.ts";
import { startServer } from "../support/server.ts";

test("it ends as soon as the extension runs, long before its timeout", async () => {
  const catalog = createAcme();
  await catalog.put("a", { phase: Phase.AUTHN });
  await catalog.attach(redIngress, [{ fqn: ext("a") }]);
  const { reader, journal } = catalog;
  const modules = createFakeModules();
  await using server = await startServer({ catalog: { reader, journal }, modules });
  const waiting = startProcess(["wait", ext("a"), "--timeout", "5m", "--server", server.url]);
  const sessionManager = new Http2SessionManager(server.url);
  const proxy = new AdsProxy([`wasmext/all/gateway/${redIngress}`]);
  proxy.connect(createGrpcTransport({ baseUrl: server.url, sessionManager }));
  const ended = await waiting.ended;
  expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
  expect(ended.stdout).toBe(`${ext("a")} runs on 1 of 1 proxy\n`);
  await proxy.disconnect();
  sessionManager.abort();
});
