/* Runs the Connect conformance suite for one way to connect, and reads its report. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { conformanceDescriptors } from "./go-tools.ts";

const run = promisify(execFile);
const server = new URL("conformance-server.ts", import.meta.url).pathname;
const config = new URL("config.yaml", import.meta.url).pathname;

/** One way to connect. */
export interface Way {
  readonly version: string;
  readonly protocol: string;
  readonly tls: boolean;
}

/** A case that does not go as the suite expects. */
export interface Failure {
  /** The name of the case. */
  readonly name: string;
  /** What the suite says of it, line by line. */
  readonly lines: readonly string[];
}

/** The outcome of all cases for one way to connect. */
export interface Report {
  readonly passed: number;
  readonly failures: readonly Failure[];
}

/** The ways to connect that the configuration declares. */
export function declaredWays(): Way[] {
  const { versions, protocols } = readConfig().features;
  return versions.flatMap((version) =>
    protocols
      // gRPC needs HTTP/2.
      .filter((protocol) => version !== "HTTP_VERSION_1" || protocol !== "PROTOCOL_GRPC")
      .flatMap((protocol) => [false, true].map((tls) => ({ version, protocol, tls }))),
  );
}

/**
 * Runs all cases of the suite for one way to connect.
 *
 * Raises an Error if the suite does not come to its end in time, or does not run every case.
 *
 * @param goTools - the folder of the programs
 */
export async function runSuite(goTools: string, way: Way, timeoutMs: number): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "wasmext-conformance-"));
  try {
    const narrowed = join(folder, "config.json");
    writeFileSync(narrowed, JSON.stringify(configFor(way)));
    const command = [process.execPath, server, join(goTools, conformanceDescriptors)];
    const parameters = ["--mode", "server", "--conf", narrowed, "--", ...command];
    return readReport(await outputOf(join(goTools, "connectconformance"), parameters, timeoutMs));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Config {
  readonly features: {
    readonly versions: readonly string[];
    readonly protocols: readonly string[];
  };
}

function readConfig(): Config {
  return parse(readFileSync(config, "utf8")) as Config;
}

function configFor({ version, protocol, tls }: Way): object {
  const { features, ...rest } = readConfig();
  return {
    ...rest,
    features: {
      ...features,
      versions: [version],
      protocols: [protocol],
      supportsTls: tls,
      // The suite refuses a configuration that supports h2c without HTTP/2.
      supportsH2c: version === "HTTP_VERSION_2",
    },
    ...(tls && { excludeCases: [{ useTls: false }] }),
  };
}

/** What a program prints. The suite's exit code says no more than its report does. */
async function outputOf(program: string, parameters: string[], timeout: number): Promise<string> {
  try {
    const options = { timeout, maxBuffer: 64 * 1024 * 1024 };
    const { stdout, stderr } = await run(program, parameters, options);
    return stdout + stderr;
  } catch (error) {
    const { killed, code, stdout, stderr } = error as Error & {
      killed: boolean;
      code: number;
      stdout: string;
      stderr: string;
    };
    if (killed) {
      throw new Error(
        `the suite did not end within ${timeout / 1000} s; it printed: ${stdout}${stderr}`,
      );
    }
    if (code !== 1) {
      throw error;
    }
    return stdout + stderr;
  }
}

/** Reads what the suite prints. Raises an Error if that is no complete report. */
export function readReport(output: string): Report {
  const failures = [...output.matchAll(/^FAILED: (.+):\n((?:\t.*\n)*)/gm)].map(
    ([, name = "", body = ""]) => {
      const lines = linesOf(body);
      return { name, lines: lines.length > 0 ? lines : ["failed without a reason"] };
    },
  );
  const [, total, passed, failed] = (
    /^Total cases: (\d+)\n(\d+) passed, (\d+) failed$/m.exec(output) ?? []
  ).map(Number);
  if (
    total === undefined ||
    passed === undefined ||
    failed !== failures.length ||
    passed + failed !== total ||
    output.includes("could not be run")
  ) {
    throw new Error(`the suite did not run every case; it printed: ${output}`);
  }
  return { passed, failures };
}

function linesOf(body: string): string[] {
  return body
    .split("\n")
    .map((line) => line.replace(/^\t(?:; )?/, ""))
    .filter((line) => line !== "");
}
