import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { createGrpcClient, errorInfoOf, type GrpcClient, grpcError } from "../support/grpc-js.ts";

import { type RunningServer, startServer } from "../support/server.ts";

const parent = "organizations/org";
const fqn = `${parent}/extensions/wasm-auth`;

describe("grpc-js with our proto files", () => {
  let server: RunningServer;
  let extensions: GrpcClient;
  let tenants: GrpcClient;

  beforeAll(async () => {
    server = await startServer();
    const address = `127.0.0.1:${server.port}`;
    extensions = createGrpcClient(
      address,
      "tetrateio.api.tsb.extension.v2.WasmExtensions",
      "tetrateio/api/tsb/extension/v2/wasm_service.proto",
    );
    tenants = createGrpcClient(
      address,
      "tetrateio.api.tsb.v2.Tenants",
      "tetrateio/api/tsb/v2/tenant_service.proto",
    );
  });

  afterAll(async () => {
    extensions.close();
    tenants.close();
    await server.close();
  });

  test("defines, reads, lists, updates and deletes an extension", async () => {
    const created = await extensions.call("CreateWasmExtension", {
      parent,
      name: "wasm-auth",
      wasm_extension: {
        allowed_in: [`${parent}/tenants/tenant1`],
        url: "oci://docker.io/example/my-wasm-extension:1.0",
        phase: "AUTHZ",
        priority: 1000,
        config: { fields: { some_key: { stringValue: "some_value" } } },
      },
    });
    expect(created).toMatchObject({ fqn, phase: "AUTHZ", priority: 1000 });
    expect(await extensions.call("GetWasmExtension", { fqn })).toEqual(created);
    const { extensions: ofTenant } = await tenants.call("ListWasmExtensions", {
      parent: `${parent}/tenants/tenant1`,
    });
    expect(ofTenant).toEqual([created]);
    const updated = await extensions.call("UpdateWasmExtension", { ...created, priority: -5 });
    expect(updated["priority"]).toBe(-5);
    expect(updated["etag"]).not.toBe(created["etag"]);
    await extensions.call("DeleteWasmExtension", { fqn });
    const { extensions: left } = await extensions.call("ListWasmExtension", { parent });
    expect(left).toEqual([]);
  });

  test("gets status and details of a refusal", async () => {
    const error = await grpcError(
      extensions.call("CreateWasmExtension", {
        parent,
        name: "wasm-auth",
        wasm_extension: { url: "ftp://x", vm_config: { env: [{ name: "1BAD-NAME" }] } },
      }),
    );
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.details).toContain("ftp://x");
    const [bytes] = error.metadata.get("grpc-status-details-bin");
    const { details } = fromBinary(StatusSchema, bytes as Buffer);
    const bad = details.flatMap((any) => anyUnpack(any, BadRequestSchema) ?? []);
    expect(errorInfoOf(error)).toMatchObject({ reason: "INVALID_FIELDS", domain: "wasmext" });
    expect(bad.flatMap((each) => each.fieldViolations).map(({ field }) => field)).toEqual([
      "wasm_extension.url",
      "wasm_extension.vm_config.env[0].name",
    ]);
  });

  test("200 updates at once with one etag: one wins, 199 are ABORTED", async () => {
    const created = await extensions.call("CreateWasmExtension", {
      parent,
      name: "raced",
      wasm_extension: { url: "oci://x" },
    });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, index) =>
        extensions.call("UpdateWasmExtension", { ...created, priority: index + 1 }),
      ),
    );
    const won = outcomes.filter((outcome) => outcome.status === "fulfilled");
    const lost = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(won).toHaveLength(1);
    expect(lost).toHaveLength(199);
    for (const { reason } of lost) {
      expect((reason as { code: number }).code).toBe(status.ABORTED);
    }
    const now = await extensions.call("GetWasmExtension", { fqn: created["fqn"] });
    expect(now["priority"]).toBe(won[0]?.value["priority"]);
  });
});

test("grpc-js watches an organization: the present state, a bookmark, and what comes", async () => {
  await using server = await startServer();
  const address = `127.0.0.1:${server.port}`;
  const writer = createGrpcClient(
    address,
    "tetrateio.api.tsb.extension.v2.WasmExtensions",
    "tetrateio/api/tsb/extension/v2/wasm_service.proto",
  );
  const watcher = createGrpcClient(
    address,
    "wasmext.v1.WatchService",
    "wasmext/v1/watch_service.proto",
  );
  const create = (name: string): Promise<unknown> =>
    writer.call("CreateWasmExtension", { parent, name, wasm_extension: { url: "oci://x" } });
  await create("a");
  const watch = watcher.stream("Watch", { parent });
  const next = async (): Promise<unknown> => (await watch.next()).value;
  expect(await next()).toMatchObject({ events: [{ extension_put: { url: "oci://x" } }] });
  expect(await next()).toMatchObject({ events: [], bookmark: true });
  await create("b");
  expect(await next()).toMatchObject({
    events: [{ extension_put: { fqn: `${parent}/extensions/b` } }],
  });
  await watch.return?.();
  writer.close();
  watcher.close();
});
