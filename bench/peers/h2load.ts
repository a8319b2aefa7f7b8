import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Call } from "./calls.ts";

const run = promisify(execFile);

/** How a server is loaded. */
export interface Load {
  readonly port: number;
  readonly call: Call;
  readonly connections: number;
  /** Calls that are under way at once on each connection. */
  readonly streams: number;
  readonly seconds: number;
  readonly http1?: boolean;
  /** Calls a second on each connection. Default: as many as are answered. */
  readonly rate?: number;
}

/** What h2load has measured. */
export interface Loaded {
  readonly calls: number;
  readonly callsPerSecond: number;
  /** How long each call took, in ms, in order of its length. */
  readonly latencies: readonly number[];
}

/** What to do where h2load is missing; undefined if it is there. */
export async function missingH2load(): Promise<string | undefined> {
  try {
    await run("h2load", ["--version"]);
    return undefined;
  } catch {
    return "h2load is missing; install it with: apt-get install -y nghttp2-client";
  }
}

/** Loads a server with the same call again and again. Raises an Error if a call was not answered with 200. */
export async function h2load(load: Load): Promise<Loaded> {
  const folder = mkdtempSync(join(tmpdir(), "wasmext-h2load-"));
  const [body, log] = [join(folder, "body"), join(folder, "log")];
  writeFileSync(body, load.call.body);
  const headers = Object.entries(load.call.headers).map(([name, value]) => `${name}: ${value}`);
  const { stdout } = await run("h2load", [
    ...["-c", String(load.connections), "-m", String(load.streams), "-t", "1"],
    ...["-D", String(load.seconds), "-d", body],
    ...headers.flatMap((header) => ["-H", header]),
    ...(load.http1 === true ? ["--h1"] : []),
    ...(load.rate === undefined ? [] : [`--rps=${load.rate}`, `--log-file=${log}`]),
    `http://127.0.0.1:${load.port}${load.call.path}`,
  ]);
  const latencies = load.rate === undefined ? [] : latenciesIn(readFileSync(log, "utf8"));
  rmSync(folder, { recursive: true });
  const [, callsPerSecond] = /finished in [^,]*, ([\d.]+) req\/s/.exec(stdout) ?? [];
  const [, calls, failed, errored] =
    /(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(stdout) ?? [];
  const [, redirected, refused, broken] = /(\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(stdout) ?? [];
  const problems = [failed, errored, redirected, refused, broken];
  if (callsPerSecond === undefined || problems.some((count) => count !== "0")) {
    throw new Error(`h2load had calls that were not answered:\n${stdout}`);
  }
  return { calls: Number(calls), callsPerSecond: Number(callsPerSecond), latencies };
}

/** A line of h2load's log is when a call began, its status, and how long it took, in µs. */
function latenciesIn(log: string): number[] {
  const lines = log.trimEnd().split("\n");
  return lines.map((line) => Number(line.split("\t")[2]) / 1000).toSorted((a, b) => a - b);
}
