import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { createGrpcClient } from "../support/grpc-js.ts";
import { startProcess } from "../support/process.ts";

const parent = "organizations/org";

/** Creates an extension; fails with a gRPC code. */
type Create = (name: string) => Promise<unknown>;

function creators(baseUrl: string): { creates: Create[]; close: () => void } {
  const grpc = createGrpcClient(
    new URL(baseUrl).host,
    WasmExtensions.typeName,
    "tetrateio/api/tsb/extension/v2/wasm_service.proto",
  );
  const connect = createClient(
    WasmExtensions,
    createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  );
  const wasmExtension = { url: "oci://x" };
  return {
    creates: [
      (name) => connect.createWasmExtension({ parent, name, wasmExtension }),
      (name) => grpc.call("CreateWasmExtension", { parent, name, wasm_extension: wasmExtension }),
    ],
    close: () => {
      grpc.close();
    },
  };
}

describe("SIGTERM", () => {
  test("under load: answers what is under way, ends streams with UNAVAILABLE, exits 0", async () => {
    const { child, firstLine, ended } = startProcess(["serve", "--port", "0"]);
    const baseUrl = (await firstLine).split(" ").at(-1) ?? "";
    const health = createClient(Health, createGrpcTransport({ baseUrl }));
    const watching = health.watch({})[Symbol.asyncIterator]();
    await watching.next();

    let answered = 0;
    let hasBeenTold = false;
    const failures: Code[] = [];
    const { creates, close } = creators(baseUrl);
    const load = creates.flatMap((create, client) =>
      Array.from({ length: 10 }, async (_, worker) => {
        for (let call = 0; failures.length === 0; call++) {
          try {
            await create(`e-${client}-${worker}-${call}`);
            answered++;
          } catch (error) {
            failures.push((error as { code: Code }).code);
          }
          if (answered >= 500 && !hasBeenTold) {
            hasBeenTold = true;
            child.kill("SIGTERM");
          }
        }
      }),
    );

    expect(await watching.next()).toMatchObject({ value: { status: Status.NOT_SERVING } });
    const end = await watching.next().catch((error: unknown) => ConnectError.from(error).code);
    expect(end).toBe(Code.Unavailable);
    await Promise.all(load);
    close();
    // A call either was answered or never began: none was cut off in between.
    expect(failures).toEqual(failures.map(() => Code.Unavailable));
    expect(answered).toBeGreaterThanOrEqual(500);
    const { exitCode, signal } = await ended;
    expect({ exitCode, signal }).toEqual({ exitCode: 0, signal: null });
  });

  test("does not wait for clients that keep a connection open and say nothing", async () => {
    const { child, firstLine, ended } = startProcess(["serve", "--port", "0"]);
    const baseUrl = (await firstLine).split(" ").at(-1) ?? "";
    const client = createClient(WasmExtensions, createGrpcTransport({ baseUrl }));
    await client.listWasmExtension({ parent });
    await fetch(`${baseUrl}/healthz`);
    const startedAt = performance.now();
    child.kill("SIGTERM");
    expect((await ended).exitCode).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
