/* The commands of docs/access.md, run as they are printed, with the server that the page itself starts. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { snippetsOf } from "../support/markdown.ts";
import { runSnippet } from "./run-snippet.ts";

const root = new URL("../../", import.meta.url).pathname;
const snippets = snippetsOf("docs/access.md");

describe("docs/access.md", () => {
  let folder: string;
  let port: number;
  let server: ChildProcess | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(`${root}.access-`);
    port = await freePort();
  });
  afterAll(async () => {
    if (server?.pid !== undefined && server.exitCode === null) {
      const closed = once(server, "close");
      process.kill(-server.pid, "SIGINT");
      await closed;
    }
    rmSync(folder, { recursive: true });
  });

  test.each(snippets)("$language in line $line: $code", async (snippet) => {
    const { code, output } = snippet;
    if (code.includes("wasmext serve")) {
      expect(await serve(code)).toBe(output.code.replace("8080", String(port)));
      return;
    }
    const printed = await runSnippet(snippet, { port, folder });
    if (output.language === "json") {
      expect(comparable(printed)).toEqual(comparable(output.code));
    } else {
      expect(printed).toBe(output.code.replaceAll("localhost:8080", `localhost:${port}`));
    }
  });

  /** Runs the commands that serve, in a group of their own, and resolves with what they print. */
  async function serve(code: string): Promise<string> {
    const env = { ...process.env, WASMEXT_PORT: String(port) };
    const child = spawn("bash", ["-euc", code], { cwd: folder, env, detached: true });
    server = child;
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const [first] = (await Promise.race([once(child.stdout, "data"), once(child, "close")])) as [
      unknown,
    ];
    if (!Buffer.isBuffer(first)) {
      throw new Error(`the server ended: ${stderr}`);
    }
    return first.toString();
  }
});

/** JSON with the values left out that differ from one run to the next. */
function comparable(json: string): unknown {
  const volatile = ["time", "peer"];
  return JSON.parse(json, (key, value: unknown) => (volatile.includes(key) ? key : value));
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  const closed = once(probe, "close");
  probe.close();
  await closed;
  return port;
}
