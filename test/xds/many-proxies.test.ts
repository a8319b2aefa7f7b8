/* Many proxies on a real port, with a module that is large for all of them together. */
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { AggregatedDiscoveryService } from "../../gen/envoy/service/discovery/v3/ads_pb.ts";
import { DeltaDiscoveryRequestSchema } from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { createAcme, ext, redIngress } from "../support/acme.ts";
import { AdsProxy } from "../support/ads-proxy.ts";
import { createFakeModules } from "../support/fake-modules.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";

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

/** Where a proxy fetches the modules of what it runs. */
function placesOf(proxy: AdsProxy): string[] {
  return proxy.filters(slot).flatMap(({ plugin }) => {
    const code = plugin?.vm.case === "vmConfig" ? plugin.vm.value.code : undefined;
    return code?.specifier.case === "remote" ? [code.specifier.value.httpUri?.uri ?? ""] : [];
  });
}

/** Fetches something over a connection; how many bytes have come, or the error. */
function fetchOver(session: ClientHttp2Session, url: string): Promise<number | Error> {
  return new Promise((resolve) => {
    const stream = session.request({ ":path": new URL(url).pathname });
    let bytes = 0;
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.byteLength;
    });
    stream.on("end", () => {
      resolve(bytes);
    });
    stream.on("error", resolve);
  });
}

test.each([
  ["one proxy fetches several on one connection", 1, 4],
  ["many proxies fetch one each", 20, 1],
])("modules are fetched whole, however much they are together: %s", async (_, count, each) => {
  const bytes = 20_000_000;
  const modules = createFakeModules();
  const catalog = createAcme();
  const names = Array.from({ length: each }, (_, index) => `a${index}`);
  for (const [index, name] of names.entries()) {
    const url = `oci://x/large:${index}`;
    modules.set(url, Buffer.alloc(bytes, index));
    await catalog.put(name, { url });
  }
  await catalog.attach(
    redIngress,
    names.map((name) => ({ fqn: ext(name) })),
  );
  const { reader, journal } = catalog;
  await using server = await startServer({ catalog: { reader, journal }, modules });
  const transport = createGrpcTransport({ baseUrl: server.url });
  const proxies = Array.from({ length: count }, () => new AdsProxy([slot]));
  const sessions = proxies.map(() => connect(server.url));
  try {
    const fetched = await Promise.all(
      proxies.map(async (proxy, index) => {
        proxy.connect(transport);
        await proxy.runs(slot, names.map(ext));
        const session = sessions[index] ?? expect.fail("there is a connection");
        return Promise.all(placesOf(proxy).map((url) => fetchOver(session, url)));
      }),
    );
    expect(fetched).toEqual(proxies.map(() => names.map(() => bytes)));
  } finally {
    await Promise.all(proxies.map((proxy) => proxy.disconnect()));
    sessions.forEach((session) => {
      session.destroy();
    });
  }
});

/** Asks for the slot on a connection of its own, and reads nothing. */
function askAndReadNothing(url: string): ClientHttp2Session {
  const session = connect(url);
  const stream = session.request({
    ":method": "POST",
    ":path": `/${AggregatedDiscoveryService.typeName}/DeltaAggregatedResources`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.pause();
  stream.on("error", () => undefined);
  const request = toBinary(
    DeltaDiscoveryRequestSchema,
    create(DeltaDiscoveryRequestSchema, { resourceNamesSubscribe: [slot] }),
  );
  const head = Buffer.alloc(5);
  head.writeUInt32BE(request.byteLength, 1);
  stream.write(Buffer.concat([head, request]));
  return session;
}

test("proxies that never read hold up no other", async () => {
  const modules = createFakeModules();
  const url = "oci://x/large:1";
  modules.set(url, Buffer.alloc(4_000_000, 1));
  const catalog = createAcme();
  await catalog.put("a", { url });
  await catalog.attach(redIngress, [{ fqn: ext("a") }]);
  const { reader, journal } = catalog;
  await using server = await startServer({ catalog: { reader, journal }, modules });
  const silent = Array.from({ length: 100 }, () => askAndReadNothing(server.url));
  const proxy = new AdsProxy([slot]);
  const sessionManager = new Http2SessionManager(server.url);
  try {
    await Promise.all(silent.map((session) => once(session, "remoteSettings")));
    proxy.connect(createGrpcTransport({ baseUrl: server.url, sessionManager }));
    await proxy.runs(slot, [ext("a")]);
    await catalog.attach(redIngress, [{ fqn: ext("a"), config: { n: 1 } }]);
    await until(() => proxy.filters(slot)[0]?.config === '{"n":1}', "the change runs");
    expect(proxy.error).toBeUndefined();
  } finally {
    await proxy.disconnect();
    [
      ...silent,
      {
        destroy: () => {
          sessionManager.abort();
        },
      },
    ].forEach((session) => {
      session.destroy();
    });
  }
});
