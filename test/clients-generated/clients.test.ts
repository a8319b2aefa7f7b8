/* The parts of docs/clients.md, done as the page says. Needs Go, Python and the package registries. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WasmExtension_PluginPhase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { stepsOf } from "./page.ts";

const root = new URL("../../", import.meta.url).pathname;
const page = readFileSync(`${root}docs/clients.md`, "utf8");
const run = promisify(execFile);

describe("docs/clients.md", () => {
  let server: RunningServer;
  let folder: string;
  // The clone's buf, and the Node that runs the tests.
  const path = [dirname(process.execPath), join(root, "node_modules/.bin"), process.env["PATH"]];
  const env = { ...process.env, PATH: path.join(delimiter) };

  beforeAll(async () => {
    server = await startServer({ host: "localhost" });
    await createExtensionsOfReadme(server.port);
    folder = mkdtempSync(join(tmpdir(), "wasmext-clients-"));
    symlinkSync(root, join(folder, "wasmext"));
  });
  afterAll(async () => {
    // Go makes the folders of modules read-only, but none of them is in here.
    rmSync(folder, { recursive: true });
    await server.close();
  });

  test.each(["Go", "Python", "TypeScript"])("%s: what the page says works", async (title) => {
    const cwd = join(folder, title.toLowerCase());
    mkdirSync(cwd);
    let printed = 0;
    for (const step of stepsOf(page, title)) {
      const text = step.text.replaceAll("localhost:8080", `localhost:${server.port}`);
      if (step.kind === "file") {
        writeFileSync(join(cwd, step.path), text);
        continue;
      }
      const { stdout } = await run("bash", ["-euo", "pipefail", "-c", text], { cwd, env });
      // Installers may print before the program does.
      expect(stdout.slice(-step.output.length)).toBe(step.output);
      printed += step.output.length;
    }
    expect(printed).toBeGreaterThan(0);
  });
});

/** Creates the two extensions that the page takes for granted. */
async function createExtensionsOfReadme(port: number): Promise<void> {
  const baseUrl = `http://localhost:${port}`;
  const client = createClient(
    WasmExtensions,
    createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  );
  const parent = "organizations/acme";
  const place = { phase: WasmExtension_PluginPhase.AUTHZ, priority: 1000 };
  const extensions = {
    "wasm-auth": { url: "oci://docker.io/example/my-wasm-extension:1.0", ...place },
    audit: { url: "https://example.com/audit.wasm", ...place },
  };
  for (const [name, wasmExtension] of Object.entries(extensions)) {
    await client.createWasmExtension({ parent, name, wasmExtension });
  }
}
