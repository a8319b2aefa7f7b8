import { type Client, Code, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { refused } from "../support/errors.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { cert, key } from "../support/tls.testdata.ts";

const url = "oci://docker.io/example/my-wasm-extension:1.0";
const nodeOptions = { ca: cert };

/** All protocols over both versions of HTTP; gRPC needs HTTP/2. */
const transports = {
  "gRPC, HTTP/2": (baseUrl: string) => createGrpcTransport({ baseUrl, nodeOptions }),
  "gRPC-Web, HTTP/1.1": (baseUrl: string) =>
    createGrpcWebTransport({ baseUrl, httpVersion: "1.1", nodeOptions }),
  "gRPC-Web, HTTP/2": (baseUrl: string) =>
    createGrpcWebTransport({ baseUrl, httpVersion: "2", nodeOptions }),
  "Connect JSON, HTTP/1.1": (baseUrl: string) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false, nodeOptions }),
  "Connect proto, HTTP/1.1": (baseUrl: string) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true, nodeOptions }),
  "Connect proto, HTTP/2": (baseUrl: string) =>
    createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true, nodeOptions }),
  "Connect GET, HTTP/1.1": (baseUrl: string) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true, nodeOptions }),
};

describe.each([
  ["without TLS", undefined],
  ["with TLS", { cert, key }],
])("%s", (_how, tls) => {
  let server: RunningServer;

  beforeAll(async () => {
    server = await startServer({ tls });
  });
  afterAll(() => server.close());

  test.each(Object.entries(transports))("%s serves the catalog", async (name, createTransport) => {
    const client = createClient(WasmExtensions, createTransport(server.url));
    const parent = `organizations/${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
    const created = await client.createWasmExtension({ parent, name: "x", wasmExtension: { url } });
    expect(await client.getWasmExtension({ fqn: created.fqn })).toEqual(created);
    const updated = await client.updateWasmExtension({ ...created, priority: 7 });
    expect((await client.listWasmExtension({ parent })).extensions).toEqual([updated]);
    await expectRefusals(client, parent);
    await client.deleteWasmExtension({ fqn: created.fqn });
    expect((await client.listWasmExtension({ parent })).extensions).toEqual([]);
  });

  test.each(Object.entries(transports))(
    "%s carries a configuration of 19,000 values",
    async (name, createTransport) => {
      const client = createClient(WasmExtensions, createTransport(server.url));
      const parent = `organizations/${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
      const config = {
        list: Array.from({ length: 9_000 }, (_, index) => index),
        object: Object.fromEntries(
          Array.from({ length: 9_900 }, (_, index) => [`k${index}`, true]),
        ),
      };
      const wasmExtension = { url, config };
      const created = await client.createWasmExtension({ parent, name: "large", wasmExtension });
      expect(created.config).toEqual(config);
    },
  );

  test.each(Object.entries(transports))("%s tells of health", async (_name, createTransport) => {
    const client = createClient(Health, createTransport(server.url));
    for (const service of ["", WasmExtensions.typeName]) {
      expect((await client.check({ service })).status).toBe(Status.SERVING);
    }
    expect(await refused(client.check({ service: "nope" }))).toMatchObject({
      code: Code.NotFound,
      reason: "SERVICE_UNKNOWN",
    });
    const { statuses } = await client.list({});
    expect(statuses[""]?.status).toBe(Status.SERVING);
    for (const [service, status] of [
      [WasmExtensions.typeName, Status.SERVING],
      ["nope", Status.SERVICE_UNKNOWN],
    ] as const) {
      for await (const response of client.watch({ service })) {
        expect(response.status).toBe(status);
        break;
      }
    }
  });
});

async function expectRefusals(
  client: Client<typeof WasmExtensions>,
  parent: string,
): Promise<void> {
  const fqn = `${parent}/extensions/x`;
  expect(await refused(client.getWasmExtension({ fqn: `${fqn}-2` }))).toMatchObject({
    code: Code.NotFound,
    reason: "NOT_FOUND",
    metadata: { fqn: `${fqn}-2` },
  });
  expect(
    await refused(client.updateWasmExtension({ fqn, url, etag: '"AAAAAAAAAAA="' })),
  ).toMatchObject({
    code: Code.Aborted,
    reason: "ETAG_MISMATCH",
  });
  expect(
    await refused(client.createWasmExtension({ parent, name: "x", wasmExtension: { url } })),
  ).toMatchObject({ code: Code.AlreadyExists, reason: "ALREADY_EXISTS" });
  expect(
    await refused(client.createWasmExtension({ parent, name: "y", wasmExtension: {} })),
  ).toMatchObject({ code: Code.InvalidArgument, fields: ["wasm_extension.url"] });
}
