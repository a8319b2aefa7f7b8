import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

const main = new URL("../../src/main.ts", import.meta.url).pathname;

/** How a process ended. */
export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of `wasmext`. */
export interface RunningProcess {
  readonly child: ChildProcess;
  /** The first line that it printed to stdout. */
  readonly firstLine: Promise<string>;
  readonly ended: Promise<Ended>;
}

/** How to run a process. */
interface ProcessOptions extends Pick<SpawnOptions, "cwd" | "uid"> {
  /** A command that runs the one that follows it, in the same process. */
  readonly wrapper?: readonly string[];
}

/**
 * Starts `wasmext` with arguments, with an environment of these variables beside ours, with a text as its
 * standard input, and in our working directory unless there is another one.
 */
export function startProcess(
  parameters: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input = "",
  { wrapper = [], ...options }: ProcessOptions = {},
): RunningProcess {
  const [command = "", ...rest] = [...wrapper, process.execPath, main, ...parameters];
  const child = spawn(command, rest, {
    ...options,
    env: { ...process.env, ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  // A test may close a stream before the process ends.
  const output = Promise.all(
    [child.stdout, child.stderr].map((from) => text(from).catch(() => "")),
  );
  const exit = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  return {
    child,
    firstLine: firstLineOf(child),
    ended: Promise.all([exit, output]).then(([[exitCode, signal], [stdout = "", stderr = ""]]) => ({
      exitCode,
      signal,
      stdout,
      stderr,
    })),
  };
}

function firstLineOf(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let printed = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
    if (printed.includes("\n")) {
      resolve(printed.split("\n", 1)[0] ?? "");
    }
  });
  child.once("exit", () => {
    reject(new Error(`the process ended after printing ${JSON.stringify(printed)}`));
  });
  promise.catch(() => undefined);
  return promise;
}
