import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { thisCheckout } from "./checkouts.ts";

/** A server in a process of its own, so that what it holds is not ours. */
export interface ServerProcess {
  readonly url: string;
  readonly port: number;
  /** Memory that is resident now, in MB; NaN where the system does not tell. */
  residentMegabytes(): number;
  /** Whether it has ended by itself. */
  readonly hasEnded: boolean;
  /** The most memory that has been resident since the last call, in MB. */
  peakMegabytes(): number;
  /** The time that the processor has worked for it, in s; NaN where the system does not tell. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/**
 * Starts `wasmext serve` of a checkout: by default of this one.
 *
 * @param nodeOptions - options of Node, such as the greatest size of its heap
 * @param options - more options of `wasmext serve`
 */
export async function startServerProcess(
  root = thisCheckout,
  nodeOptions: readonly string[] = [],
  options: readonly string[] = [],
): Promise<ServerProcess> {
  const serve = ["serve", "--port", "0", "--log-level", "silent", ...options];
  return startProcess([...nodeOptions, `${root}/src/main.ts`, ...serve]);
}

/** What becomes of the standard error of a process: a number is a file descriptor that it is written to. */
type Stderr = "inherit" | "ignore" | number;

/**
 * Starts a server in a process of Node, which is ready when it has printed a line that ends with its port.
 */
export async function startProcess(
  args: readonly string[],
  stderr: Stderr = "inherit",
  environment: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", stderr],
    env: { ...process.env, ...environment },
  });
  if (child.stdout === null) {
    throw new TypeError("the process has no standard output");
  }
  const status = (name: string): number => {
    try {
      const text = readFileSync(`/proc/${child.pid ?? 0}/status`, "utf8");
      return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1] ?? NaN) / 1024;
    } catch {
      return NaN;
    }
  };
  const cpuSeconds = (): number => {
    try {
      const text = readFileSync(`/proc/${child.pid ?? 0}/stat`, "utf8");
      // The fields after the name, which may hold spaces: the 12th and 13th are in hundredths of a second.
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) / 100;
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
        get hasEnded() {
          return child.exitCode !== null || child.signalCode !== null;
        },
        peakMegabytes: () => {
          const peak = status("VmHWM");
          try {
            writeFileSync(`/proc/${child.pid ?? 0}/clear_refs`, "5");
          } catch {
            // Only Linux has peaks that can be reset.
          }
          return peak;
        },
        cpuSeconds,
        stop: async () => {
          if (child.exitCode === null && child.signalCode === null) {
            child.kill("SIGTERM");
            await once(child, "exit");
          }
        },
      };
    }
  }
  throw new Error("the server has ended before it was ready");
}
