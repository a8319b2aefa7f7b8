/* What the launcher keeps for the next start. */
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

const run = promisify(execFile);
const launcher = new URL("../../bin/wasmext.js", import.meta.url).pathname;

let home: string;
let folder: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "wasmext-cache-"));
  folder = join(home, "wasmext");
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

async function help(environment: Readonly<Record<string, string>>): Promise<string> {
  const env = { ...process.env, ...environment };
  const { stdout, stderr } = await run(process.execPath, [launcher, "serve", "--help"], { env });
  expect(stderr).toBe("");
  return stdout;
}

test("compiled modules are kept in a folder of the user, and used again", async () => {
  const first = await help({ XDG_CACHE_HOME: home });
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  const kept = readdirSync(folder, { recursive: true });
  expect(kept.length).toBeGreaterThan(10);
  expect(await help({ XDG_CACHE_HOME: home })).toBe(first);
  expect(readdirSync(folder, { recursive: true }).toSorted()).toEqual(kept.toSorted());
});

test("a relative XDG_CACHE_HOME counts for nothing", async () => {
  await help({ XDG_CACHE_HOME: "cache", HOME: home });
  expect(readdirSync(join(home, ".cache"))).toEqual(["wasmext"]);
});

test("nothing is kept where others can write", async () => {
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  await help({ XDG_CACHE_HOME: home });
  expect(readdirSync(folder)).toEqual([]);
});

test("the program runs where nothing can be kept", async () => {
  expect(await help({ XDG_CACHE_HOME: "/dev/null" })).toContain("wasmext serve");
});

test("NODE_DISABLE_COMPILE_CACHE keeps nothing", async () => {
  await help({ XDG_CACHE_HOME: home, NODE_DISABLE_COMPILE_CACHE: "1" });
  expect(readdirSync(folder)).toEqual([]);
});
