import { execFile } from "node:child_process";
import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { cert, key } from "../support/tls.testdata.ts";

const run = promisify(execFile);
const service = "tetrateio.api.tsb.extension.v2.WasmExtensions";
const parent = "organizations/org";

describe("curl with JSON", () => {
  let plain: RunningServer;
  let secure: RunningServer;
  let folder: string;

  beforeAll(async () => {
    plain = await startServer();
    secure = await startServer({ tls: { cert, key } });
    folder = mkdtempSync(join(tmpdir(), "wasmext-"));
    writeFileSync(join(folder, "ca.pem"), cert);
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await Promise.all([plain.close(), secure.close()]);
  });

  test.each([
    ["HTTP/1.1", ["--http1.1"], "1.1", () => plain],
    ["h2c with prior knowledge", ["--http2-prior-knowledge"], "2", () => plain],
    ["an h2c upgrade that is not taken", ["--http2"], "1.1", () => plain],
    ["HTTP/1.1 over TLS", ["--http1.1"], "1.1", () => secure],
    ["HTTP/2 by ALPN", ["--http2"], "2", () => secure],
  ] as const)("over %s", async (_how, flags, version, server) => {
    const call = async (method: string, data: object, ...more: string[]): Promise<string> => {
      const { stdout } = await run("curl", [
        "-sS",
        ...flags,
        ...["--cacert", join(folder, "ca.pem")],
        ...["-H", "Content-Type: application/json"],
        ...["-d", JSON.stringify(data)],
        ...["-w", "\n%{http_version} %{http_code}"],
        ...more,
        `${server().url}/${service}/${method}`,
      ]);
      return stdout;
    };
    const name = `x-${flags[0].replaceAll(/[^a-z0-9]/g, "")}`;
    const wasmExtension = { url: "docker.io/x:1" };
    const [body, status] = (
      await call("CreateWasmExtension", { parent, name, wasmExtension })
    ).split("\n");
    expect(JSON.parse(body ?? "")).toMatchObject({ url: "oci://docker.io/x:1" });
    expect(status).toBe(`${version} 200`);
    const fqn = `${parent}/extensions/${name}`;
    const get = ["-G", "--data-urlencode", `message={"fqn":"${fqn}"}`, "--data-urlencode"];
    expect(await call("GetWasmExtension", {}, ...get, "encoding=json")).toContain(fqn);
    expect(await call("DeleteWasmExtension", { fqn })).toBe(`{}\n${version} 200`);
    expect(await call("DeleteWasmExtension", { fqn })).toContain(`\n${version} 404`);
  });
});
