/* Runs the snippets of a page as a reader would, against a server of the test. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import type { Block, Snippet } from "../support/markdown.ts";

const root = new URL("../../", import.meta.url).pathname;
const run = promisify(execFile);

/** The comment above commands that end when they are interrupted. */
const endless = "# Goes on until Ctrl-C.\n";

/** Where snippets run. */
export interface Place {
  /** The port of the server, which is 8080 on the pages. */
  readonly port: number;
  /** An empty folder inside of the repository. */
  readonly folder: string;
}

/** A server that a page has started. It goes on while the commands after it run. */
export interface PageServer {
  /** Interrupts it as Ctrl-C does, and resolves when it has ended. */
  stop(): Promise<void>;
}

/** Tells whether a snippet starts a server, and whether the servers before it have been stopped. */
export function isServer({ code }: Snippet): boolean {
  return code.startsWith(`${endless}npx wasmext serve `);
}
export function isAfterServer({ code }: Snippet): boolean {
  return code.startsWith("# After Ctrl-C.\n");
}

/** Starts the server of a snippet, and checks that it prints what the page shows. */
export async function startPageServer(
  { code, output }: Snippet,
  { folder }: Pick<Place, "folder">,
): Promise<PageServer> {
  const command = `exec ${code.slice(endless.length)}`;
  const child = spawn("bash", ["-euc", command], {
    cwd: folder,
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exit = once(child, "exit");
  const [printed] = (await Promise.race([once(child.stdout, "data"), exit])) as [Buffer | number];
  const stop = async (): Promise<void> => {
    process.kill(-(child.pid ?? 0), "SIGINT");
    await exit;
  };
  if (String(printed) !== output.code) {
    throw new Error(`the server printed ${String(printed)}`);
  }
  return { stop };
}

/** Runs a snippet and resolves with what it prints; of endless ones, as much as the page shows. */
export async function runSnippet(snippet: Snippet, { port, folder }: Place): Promise<string> {
  const { language, output } = snippet;
  const code = snippet.code.replaceAll("localhost:8080", `localhost:${port}`);
  if (language === "ts") {
    return runProgram(code, `${folder}/line-${snippet.line}.ts`);
  }
  const options = {
    cwd: folder,
    env: { ...process.env, WASMEXT_SERVER: `http://localhost:${port}` },
  };
  if (code.startsWith(endless)) {
    const wanted = partsOf(output.code, output).length;
    const isEnough = (stdout: string): boolean => partsOf(stdout, output).length >= wanted;
    const stdout = await outputUntil(`exec ${code.slice(endless.length)}`, options, isEnough);
    return partsOf(stdout, output).slice(0, wanted).join("");
  }
  const { stdout, stderr } = await run("bash", ["-euo", "pipefail", "-c", code], options);
  return stderr.replace(/^npm warn .*\n/gm, "") + stdout;
}

/** Programs are for the root of the repository, where `gen` and `proto` are. */
async function runProgram(code: string, file: string): Promise<string> {
  writeFileSync(file, code.replaceAll('"./gen/', '"../gen/'));
  try {
    const { stdout } = await run(process.execPath, [file], { cwd: root });
    return stdout;
  } finally {
    rmSync(file);
  }
}

/** The parts that an output grows by: values of JSON, or lines. */
function partsOf(text: string, { language }: Block): string[] {
  return text.match(language === "json" ? /^\{$.*?^\}\n/gms : /^.*\n/gm) ?? [];
}

/** Runs commands until they have printed enough, and interrupts them as Ctrl-C does. */
async function outputUntil(
  commands: string,
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
  isEnough: (stdout: string) => boolean,
): Promise<string> {
  // A group of its own, as a shell gives to each command: Ctrl-C reaches all of it.
  const child = spawn("bash", ["-euc", commands], { ...options, detached: true });
  const timer = setTimeout(interrupt, 20_000);
  let [stdout, stderr] = ["", ""];
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    if (isEnough(stdout)) {
      interrupt();
    }
  });
  await once(child, "close");
  clearTimeout(timer);
  if (!isEnough(stdout)) {
    throw new Error(`the commands ended before they printed all: ${stdout}${stderr}`);
  }
  return stdout;

  function interrupt(): void {
    if (child.pid !== undefined && child.exitCode === null) {
      process.kill(-child.pid, "SIGINT");
    }
  }
}
