/* What `npm pack` makes, installed into an empty folder as a user does. Needs the package registry. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seedAttachments, seedGateway, seedHttp, seedOci } from "../support/seed.ts";

const root = new URL("../../", import.meta.url).pathname;
const run = promisify(execFile);

describe("the package", () => {
  let folder: string;
  // Commands run under the Node that runs the tests.
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
  };
  const wasmext = (...parameters: string[]) =>
    run("node_modules/.bin/wasmext", parameters, { cwd: folder, env });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "wasmext-package-"));
    await run("npm", ["pack", "--pack-destination", folder], { cwd: root, env });
    const [archive = ""] = readdirSync(folder);
    writeFileSync(join(folder, "package.json"), "{}");
    await run("npm", ["install", "--no-audit", "--no-fund", `./${archive}`], { cwd: folder, env });
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test("has the program compiled, and no sources", async () => {
    const installed = join(folder, "node_modules/wasmext");
    expect(readdirSync(installed).toSorted()).toEqual(
      ["LICENSE", "README.md", "bin", "dist", "docs", "package.json", "proto"].toSorted(),
    );
    const { stdout } = await wasmext("--version");
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("serves, and works from the command line", async () => {
    const store = ["--store", "sqlite:catalog.db"];
    const server = spawn("node_modules/.bin/wasmext", ["serve", "--port", "0", ...store], {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const lines = createInterface(server.stdout);
    const [line] = (await once(lines, "line")) as [string];
    const url = line.replace("wasmext listening on ", "");
    writeFileSync(join(folder, "all.yaml"), [seedAttachments, seedOci, seedHttp].join("---\n"));
    const applied = await wasmext("apply", "-f", "all.yaml", "--server", url);
    expect(applied.stdout).toContain("\n3 created\n");
    const chain = await wasmext("chain", seedGateway, "--server", url);
    expect(chain.stdout).toContain("1       AUTHZ   1000");
    const exported = await wasmext("export", "istio", "organizations/org", "--server", url);
    expect(exported.stdout.match(/^kind: WasmPlugin$/gm)).toHaveLength(2);
    server.kill("SIGINT");
    expect(await once(server, "exit")).toEqual([0, null]);
  });

  test("says which Node it needs", async () => {
    const old = join(folder, "old-node.mjs");
    writeFileSync(
      old,
      'Object.defineProperty(process, "versions", { value: { node: "20.20.2" } });\n',
    );
    const bin = join(folder, "node_modules/wasmext/bin/wasmext.js");
    const failed = await run(process.execPath, ["--import", old, bin, "--version"]).then(
      () => undefined,
      (error: unknown) => error as { code: number; stderr: string },
    );
    expect(failed).toMatchObject({ code: 1 });
    expect(failed?.stderr).toMatch(/^error: wasmext needs Node 22\.18 or newer, and this is v/);
  });
});
