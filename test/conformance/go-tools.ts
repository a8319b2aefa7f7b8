/* The programs and descriptors that the conformance tests need, built with Go and kept in .cache/. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the programs and descriptors are. */
    goTools: string;
  }
}

const run = promisify(execFile);
const root = new URL("../../", import.meta.url).pathname;
const goModule = join(root, "test/conformance/go");
const folder = join(root, ".cache/conformance");

/** The descriptors of the service of the conformance suite, inside of the folder. */
export const conformanceDescriptors = "conformance.binpb";

/** The descriptors of the service that the interop client calls, inside of the folder. */
export const interopDescriptors = "interop.binpb";

/** Is run by vitest before the tests. */
export default async function setup(project: TestProject): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await go("build", "-o", `${folder}/`, "tool", "./descriptors");
  const { stdout: suite } = await go("list", "-m", "-f", "{{.Dir}}", "connectrpc.com/conformance");
  const image = join(folder, conformanceDescriptors);
  await run("buf", ["build", join(suite.trim(), "proto"), "-o", image], { cwd: folder });
  const { stdout: descriptors } = await run(join(folder, "descriptors"), { encoding: "buffer" });
  writeFileSync(join(folder, interopDescriptors), descriptors);
  project.provide("goTools", folder);
}

async function go(...parameters: string[]): Promise<{ stdout: string }> {
  // Distributions set GOTOOLCHAIN=local; auto lets an older Go fetch the version that go.mod names.
  const env = { ...process.env, GOTOOLCHAIN: "auto" };
  try {
    return await run("go", parameters, { cwd: goModule, env });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new Error("the conformance tests need Go 1.21 or newer; install it first");
    }
    throw error;
  }
}
