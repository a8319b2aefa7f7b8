import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { createGrpcClient } from "../support/grpc-js.ts";
import { startProcess } from "../support/process.ts";
import { cert, key } from "../support/tls.testdata.ts";

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
  test("exits 0 while nobody reads the log", async () => {
    const main = new URL("../../src/main.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, [main, "serve", "--port", "0"]);
    const exit = once(child, "exit");
    // Only standard output is read.
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const url = line.toString().trim().split(" ").at(-1) ?? "";
    for (let batch = 0; batch < 30; batch++) {
      const calls = Array.from({ length: 100 }, () => fetch(`${url}/${"x".repeat(190)}`));
      await Promise.all(calls.map(async (call) => (await call).arrayBuffer()));
    }
    child.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
  });

  test.each(["SIGTERM", "SIGINT"])("%s while the program is loading exits 0", async (signal) => {
    // Sends the signal when a module of the program is looked up.
    const hooks = `
      import { registerHooks } from "node:module";
      registerHooks({
        resolve(name, context, next) {
          if (name === "pino") {
            process.kill(process.pid, "${signal}");
          }
          return next(name, context);
        },
      });`;
    const options = `--import=data:text/javascript,${encodeURIComponent(hooks)}`;
    const { ended } = startProcess(["serve", "--port", "0"], { NODE_OPTIONS: options });
    expect(await ended).toMatchObject({ exitCode: 0, signal: null });
  });

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

  test("does not wait for the rest of heads of requests", async () => {
    const { child, firstLine, ended } = startProcess(["serve", "--port", "0"]);
    const { hostname, port } = new URL((await firstLine).split(" ").at(-1) ?? "");
    const heads = [
      "G",
      "GET /healthz HTTP/1.1\r\n",
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ",
    ];
    const sockets = heads.map((head) => {
      const socket = connect(Number(port), hostname);
      socket.on("error", () => undefined);
      // The first request is answered, so what was sent after it has arrived.
      socket.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n${head}`);
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, "data")));
    const startedAt = performance.now();
    child.kill("SIGTERM");
    expect((await ended).exitCode).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test("answers a call whose request is still arriving", async () => {
    const { child, firstLine, ended } = startProcess(["serve", "--port", "0"]);
    const { hostname, port } = new URL((await firstLine).split(" ").at(-1) ?? "");
    const body = JSON.stringify({ parent, name: "late", wasmExtension: { url: "oci://x" } });
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /${WasmExtensions.typeName}/CreateWasmExtension HTTP/1.1\r\nHost: localhost\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body.slice(0, 10));
    // The server says so to health watchers once it has begun to go down.
    const health = createClient(
      Health,
      createGrpcTransport({ baseUrl: `http://${hostname}:${port}` }),
    );
    const watching = health.watch({})[Symbol.asyncIterator]();
    await watching.next();
    child.kill("SIGTERM");
    await watching.next();
    socket.write(body.slice(10));
    const answer = await text(socket);
    expect(answer).toContain("HTTP/1.1 200 OK");
    expect(answer.toLowerCase()).toContain("connection: close");
    expect((await ended).exitCode).toBe(0);
  });

  test("ends a stream that waits for its client with UNAVAILABLE, at once", async () => {
    const { child, firstLine, ended } = startProcess(["serve", "--port", "0"]);
    const baseUrl = (await firstLine).split(" ").at(-1) ?? "";
    const client = createClient(ServerReflection, createGrpcTransport({ baseUrl }));
    const questions = (async function* () {
      yield { messageRequest: { case: "listServices" as const, value: "" } };
      await once(child, "exit");
    })();
    const answers = client.serverReflectionInfo(questions)[Symbol.asyncIterator]();
    await answers.next();
    const startedAt = performance.now();
    child.kill("SIGTERM");
    const end = await answers.next().catch((error: unknown) => ConnectError.from(error).code);
    expect(end).toBe(Code.Unavailable);
    expect((await ended).exitCode).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test("does not wait for a connection that has not begun its TLS handshake", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wasmext-"));
    const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const tls = ["--tls-cert", certFile, "--tls-key", keyFile];
    const { child, firstLine, ended } = startProcess(["serve", "--port", "0", ...tls]);
    const { hostname, port } = new URL((await firstLine).split(" ").at(-1) ?? "");
    const silent = connect(Number(port), hostname);
    await once(silent, "connect");
    const startedAt = performance.now();
    child.kill("SIGTERM");
    expect((await ended).exitCode).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    silent.destroy();
    rmSync(folder, { recursive: true });
  });
});
