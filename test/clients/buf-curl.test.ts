import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";

const buf = new URL("../../node_modules/.bin/buf", import.meta.url).pathname;
const run = promisify(execFile);

const service = "tetrateio.api.tsb.extension.v2.WasmExtensions";
const parent = "organizations/org";

describe("buf curl without a schema", () => {
  let server: RunningServer;

  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.close());

  async function bufCurl(method: string, data: object, ...flags: string[]): Promise<unknown> {
    const { stdout } = await run(buf, [
      "curl",
      ...flags,
      "-d",
      JSON.stringify(data),
      `${server.url}/${method}`,
    ]);
    return JSON.parse(stdout);
  }

  test("calls with no flag but the data", async () => {
    const wasmExtension = { url: "docker.io/x:1", config: { some_key: "some_value" } };
    const created = await bufCurl(`${service}/CreateWasmExtension`, {
      parent,
      name: "x",
      wasmExtension,
    });
    expect(created).toMatchObject({ ...wasmExtension, url: "oci://docker.io/x:1" });
    expect(await bufCurl(`${service}/ListWasmExtension`, { parent })).toEqual({
      extensions: [created],
    });
  });

  test.each([
    ["--protocol", "grpc", "--http2-prior-knowledge"],
    ["--protocol", "grpcweb"],
    ["--reflect-protocol", "grpc-v1alpha", "--http2-prior-knowledge"],
    ["--reflect-protocol", "grpc-v1", "--http2-prior-knowledge"],
  ])("calls with %s %s", async (...flags) => {
    const answer = await bufCurl(
      "grpc.health.v1.Health/Check",
      { service },
      ...flags.filter((flag) => flag !== ""),
    );
    expect(answer).toEqual({ status: "SERVING" });
  });

  test("lists services and methods", async () => {
    const { stdout } = await run(buf, ["curl", "--list-methods", server.url]);
    expect(stdout.split("\n")).toContain(`${service}/CreateWasmExtension`);
    expect(stdout.split("\n")).toContain("tetrateio.api.tsb.v2.Tenants/ListWasmExtensions");
  });
});
