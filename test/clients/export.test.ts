import { describe, expect, test } from "vitest";
import { createAcme, ext, redIngress } from "../support/acme.ts";
import { createGrpcClient } from "../support/grpc-js.ts";
import { startServer } from "../support/server.ts";

const service = "wasmext.v1.ExportService";

describe("ExportIstio with grpc-js, from the proto files alone", () => {
  test("returns plugins with their priority also when it is 0", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    await catalog.attach(redIngress, [{ fqn: ext("a") }], { namespace: "ns" });
    await using server = await startServer({ catalog: catalog });
    const file = "wasmext/v1/export_service.proto";
    const client = createGrpcClient(`127.0.0.1:${server.port}`, service, file);
    expect(await client.call("ExportIstio", { parent: redIngress })).toMatchObject({
      wasm_plugins: [
        {
          kind: "WasmPlugin",
          metadata: { namespace: "ns", annotations: { "wasmext.dev/target": redIngress } },
          // A wrapper of 0, which is not the same as none.
          spec: { url: "oci://ghcr.io/acme/x:1.0", priority: {} },
        },
      ],
      revision: expect.anything() as unknown,
    });
    client.close();
  });

  test("a refusal fits into the trailers, and names what is wrong", async () => {
    const catalog = createAcme();
    const env = Array.from({ length: 256 }, (_, index) => ({
      name: `V${index}`,
      value: "x".repeat(3000),
    }));
    await catalog.put("a", { vmConfig: { env } });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    await using server = await startServer({ catalog: catalog });
    const client = createGrpcClient(
      `127.0.0.1:${server.port}`,
      service,
      "wasmext/v1/export_service.proto",
    );
    await expect(client.call("ExportIstio", { parent: redIngress })).rejects.toThrow(
      /FAILED_PRECONDITION: Istio cannot hold .*workload_selector\.namespace is not set/,
    );
    client.close();
  });
});
