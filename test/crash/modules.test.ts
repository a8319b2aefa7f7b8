/*
 * The cache of modules when processes are killed, and when the disk is full.
 *
 * WASMEXT_CRASH_ROUNDS is the number of rounds.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, execPath } from "node:process";
import { describe, expect, test } from "vitest";
import { serve, type TestServer } from "../modules/support/registry.ts";
import { wasm } from "../modules/support/wasm.ts";
import { folderOf } from "../support/cli.ts";

const rounds = Number(env["WASMEXT_CRASH_ROUNDS"] ?? 20);
const program = new URL("module-fetcher.ts", import.meta.url).pathname;

/** Serves a module of 600 KiB under each path. */
function serveModules(): Promise<TestServer> {
  return serve((request, response) => {
    response.end(wasm({ variant: request.url ?? "", padding: 600 * 1024 }));
  });
}

test(`two processes that share a folder leave it sound, over ${rounds} kills`, async () => {
  await using server = await serveModules();
  using folder = folderOf({});
  const start = (first: number) =>
    spawn(execPath, [program, folder.path, `http://${server.host}`, String(first), "1000"]);
  for (let round = 0; round < rounds; round++) {
    const both = [start(round * 10), start(round * 10 + 5)];
    await Promise.all(both.map(({ stdout }) => once(stdout, "data")));
    for (const child of both) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
      child.kill("SIGKILL");
      await once(child, "close");
    }
    for (const name of readdirSync(join(folder.path, "modules"))) {
      const bytes = readFileSync(join(folder.path, "modules", name));
      expect(`${createHash("sha256").update(bytes).digest("hex")}.wasm`).toBe(name);
    }
    for (const name of readdirSync(join(folder.path, "sources"))) {
      JSON.parse(readFileSync(join(folder.path, "sources", name), "utf8"));
    }
  }
  const child = spawn(execPath, [program, folder.path, `http://${server.host}`, "0", "20"]);
  const chunks = await child.stdout.setEncoding("utf8").toArray();
  expect(chunks.join("").trim().split("\n")).toHaveLength(21);
});

const mount = 'mount -t tmpfs -o size=3m none "$0" && exec "$@"';
const canMount = spawnSync("unshare", ["-m", "sh", "-c", mount, tmpdir(), "true"]).status === 0;

describe.skipIf(!canMount)("a full disk", () => {
  test("is told, and room is made by removing what is not in use", async () => {
    await using server = await serveModules();
    using folder = folderOf({});
    const cache = join(folder.path, "cache");
    const fetcher = [execPath, program, cache, `http://${server.host}`, "0", "12"];
    const child = spawn("unshare", ["-m", "sh", "-c", mount, folder.path, ...fetcher]);
    const lines = (await child.stdout.setEncoding("utf8").toArray()).join("").trim().split("\n");
    expect(lines).toContain("CACHE");
    expect(lines.filter((line) => /^[0-9a-f]{64}$/.test(line))).toHaveLength(12);
    expect(lines.at(-1)).toBe("done");
  });
});
