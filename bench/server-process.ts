import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** A server in a process of its own, so that what it holds is not ours. */
export interface ServerProcess {
  readonly url: string;
  readonly port: number;
  /** Memory that is resident now, in MB; NaN where the system does not tell. */
  residentMegabytes(): number;
  /** The most memory that has been resident since the last call, in MB. */
  peakMegabytes(): number;
  stop(): Promise<void>;
}

/** Starts `wasmext serve` of a checkout: by default of this one, with the store in memory. */
export async function startServerProcess(
  root = new URL("..", import.meta.url).pathname,
  store = "memory",
): Promise<ServerProcess> {
  const options = ["--port", "0", "--log-level", "silent", "--store", store];
  const args = [`${root}/src/main.ts`, "serve", ...options];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const status = (name: string): number => {
    try {
      const text = readFileSync(`/proc/${child.pid ?? 0}/status`, "utf8");
      return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1] ?? NaN) / 1024;
    } catch {
      return NaN;
    }
  };
  for await (const line of createInterface(child.stdout)) {
    const port = Number(/:(\d+)$/.exec(line)?.[1]);
    if (!Number.isNaN(port)) {
      return {
        url: `http://127.0.0.1:${port}`,
        port,
        residentMegabytes: () => status("VmRSS"),
        peakMegabytes: () => {
          const peak = status("VmHWM");
          try {
            writeFileSync(`/proc/${child.pid ?? 0}/clear_refs`, "5");
          } catch {
            // Only Linux has peaks that can be reset.
          }
          return peak;
        },
        stop: async () => {
          child.kill("SIGTERM");
          await once(child, "exit");
        },
      };
    }
  }
  throw new Error("the server has ended before it was ready");
}
