/* The command line in this process, with a shell that collects what is printed. */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runProgram } from "../../src/cli/program.ts";
import type { Shell } from "../../src/cli/shell.ts";

/** How a command ended. */
export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command runs in, beside its arguments. */
export interface Surroundings {
  /** Standard input. */
  readonly input?: string | Buffer;
  /** Is told of each text that is printed to standard output. */
  readonly onPrint?: (text: string) => unknown;
  /** Is told of each line of standard error. */
  readonly onSay?: (line: string) => void;
  /** Ends commands that print until nobody reads any more. */
  readonly closed?: AbortSignal;
  readonly hasColours?: boolean;
  readonly showProgress?: (text: string | undefined) => void;
  readonly now?: () => number;
}

const serve = (): Promise<void> => Promise.reject(new Error("no command of these tests serves"));

/** Runs a command to its end. */
export async function runCli(
  parameters: readonly string[],
  surroundings: Surroundings = {},
): Promise<Ran> {
  let [stdout, stderr] = ["", ""];
  const shell: Shell = {
    version: "1.2.3",
    async print(text) {
      stdout += text;
      await surroundings.onPrint?.(text);
    },
    say(line) {
      stderr += `${line}\n`;
      surroundings.onSay?.(line);
    },
    showProgress: surroundings.showProgress ?? (() => undefined),
    hasColours: surroundings.hasColours ?? false,
    hasErrorColours: surroundings.hasColours ?? false,
    closed: surroundings.closed ?? new AbortController().signal,
    readInput: () => Promise.resolve(Buffer.from(surroundings.input ?? "")),
    now: surroundings.now ?? (() => performance.now()),
  };
  const exitCode = await runProgram(shell, serve, parameters);
  return { exitCode, stdout, stderr };
}

/** A folder of files that is gone at the end of the `using` block. */
export interface Folder extends Disposable {
  readonly path: string;
}

/** Makes a folder of files, by name and content. */
export function folderOf(files: Readonly<Record<string, string | Buffer>>): Folder {
  const path = mkdtempSync(join(tmpdir(), "wasmext-"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return {
    path,
    [Symbol.dispose]: () => {
      rmSync(path, { recursive: true });
    },
  };
}
