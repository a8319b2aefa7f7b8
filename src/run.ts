/*
 * The edge of the process: this file and main.ts, which loads it, alone touch arguments, signals and exit
 * codes. (The launcher in bin/ looks at the version of Node before.)
 *
 *   cli/            the commands, each a file; they talk to a server as any client does
 *   yaml/           objects as documents
 *   start-server/   opens what `wasmext serve` names: TLS files, keys, grants, audit log, store
 *   server.ts       builds a server from auth/, catalog/, export/, journal/, rpc/ and transport/
 */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { destination, pino } from "pino";
import { createProcessShell } from "./cli/process-shell.ts";
import { exitCodes, runProgram } from "./cli/program.ts";
import type { ServeOptions } from "./cli/serve-options.ts";
import type { StartedServer } from "./start-server/start-server.ts";

/** How long after a signal the process ends at the latest, in ms. */
const exitWithinMs = 9_500;

/** How much of a log is written at once, in characters, and after what time it is written at the latest, in ms. */
const bufferedLog = 8 * 1024;
const flushEveryMs = 100;

/** How much of a log may wait for its reader, in characters, and for how long at the end, in ms. */
const maxUnreadLog = 8 * 1024 * 1024;
const lastFlushMs = 500;

// An empty variable counts as unset.
for (const [name, value] of Object.entries(process.env)) {
  if (name.startsWith("WASMEXT_") && value === "") {
    Reflect.deleteProperty(process.env, name);
  }
}

const shell = createProcessShell(process, { version: readVersion(), fail });

/** Sets what is done on SIGTERM and SIGINT from now on. */
export type OnSignal = (stop: () => void) => void;

/** Runs the program with the arguments of the process. */
export async function run(onSignal: OnSignal): Promise<void> {
  const serving = (options: ServeOptions): Promise<void> => serve(options, onSignal);
  process.exitCode = (await runProgram(shell, serving, process.argv.slice(2))) || process.exitCode;
}

function fail(): void {
  process.exitCode = exitCodes.failed;
}

function readVersion(): string {
  const file = findPackageJSON(import.meta.url) ?? "";
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

async function serve(options: ServeOptions, onSignal: OnSignal): Promise<void> {
  const { startServer } = await import("./start-server/start-server.ts");
  const logger = pino({ level: options.logLevel, base: null }, logDestination());
  const server = await startServer(options, logger, process.env);
  onSignal(createStop(server));
  await shell.print(`wasmext listening on ${server.url}\n`);
}

/** Standard error. While nobody reads it, the server goes on, keeps a bounded part of its log, and still ends in time. */
function logDestination(): ReturnType<typeof destination> {
  let isLateAt = Infinity;
  const stderr = destination({
    dest: 2,
    sync: false,
    // A write for each line would cost as much as the rest of a small call.
    minLength: bufferedLog,
    periodicFlush: flushEveryMs,
    maxLength: maxUnreadLog,
    retryEAGAIN: () => performance.now() < isLateAt,
  });
  stderr.on("error", () => undefined);
  const flushSync = stderr.flushSync.bind(stderr);
  // What pino calls when the process exits.
  stderr.flushSync = () => {
    isLateAt = performance.now() + lastFlushMs;
    try {
      flushSync();
    } catch {
      // The rest is lost.
    }
  };
  return stderr;
}

/**
 * What follows a signal within this time is the same signal, in ms: Ctrl-C in a terminal reaches the
 * server and npm, and npm passes it on.
 */
const sameSignalMs = 1_000;

/** The first signal stops the server in good order, the next one at once. */
function createStop(server: StartedServer): () => void {
  let stoppingSince: number | undefined;
  return () => {
    if (stoppingSince !== undefined) {
      if (performance.now() - stoppingSince > sameSignalMs) {
        process.exit(exitCodes.failed);
      }
      return;
    }
    stoppingSince = performance.now();
    // The server normally ends by itself sooner; this ends the process whatever keeps it.
    setTimeout(() => process.exit(exitCodes.done), exitWithinMs).unref();
    void server.close().then(() => process.exit(exitCodes.done));
  };
}
