/* A real Envoy on loopback, in a process of the test's own. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { inject } from "vitest";
import { eventually } from "../../support/eventually.ts";

/** An Envoy; it ends, and its folder is removed, at the end of the `await using` block. */
export interface Envoy extends AsyncDisposable {
  /** Its working directory, with `envoy.yaml`. */
  readonly folder: string;
  /** The lines of its log, of all its lives. */
  readonly log: readonly string[];
  /** Resolves with the first line of the log that has a text, now or later. */
  logged(text: string): Promise<string>;
  /** Its own word on its state: LIVE, or INITIALIZING as long as a slot waits for its first answer. */
  state(): Promise<string>;
  /** Resolves when it is live: its listeners are open. */
  live(): Promise<void>;
  /** The port of a listener. */
  portOf(listener: string): Promise<number>;
  /** The stats whose names match, by name. */
  stats(filter: string): Promise<ReadonlyMap<string, string>>;
  /** A part of its configuration, such as `ecds_filters`. */
  configDump(resource: string): Promise<unknown>;
  /** Calls its admin interface. */
  admin(path: string, method?: "GET" | "POST"): Promise<string>;
  /** The memory of the process, in bytes. */
  residentBytes(): Promise<number>;
  /** Ends it by SIGTERM. */
  stop(): Promise<void>;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again with the same configuration, which listens on other ports if the ports are 0. */
  start(): Promise<void>;
}

/** How to run an Envoy. */
export interface EnvoyOptions {
  /** Default: the newest one. */
  readonly program?: string;
  /** Options of the command. */
  readonly flags?: readonly string[];
  /** Variables of its environment, beside ours. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Files of its folder, by name. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
}

/** Has an Envoy check a bootstrap; resolves with what it has to say against it, which is "" for a good one. */
export async function problemWith(
  bootstrap: string | object,
  program: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "wasmext-envoy-"));
  const file = join(folder, "envoy.yaml");
  await writeFile(file, typeof bootstrap === "string" ? bootstrap : JSON.stringify(bootstrap));
  try {
    const parameters = ["--mode", "validate", "-c", file, "-l", "warn"];
    const env = { ...process.env, ...environment };
    const { stderr } = await promisify(execFile)(program, parameters, { env });
    return stderr;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Starts an Envoy; resolves when its admin interface answers. */
export async function startEnvoy(
  bootstrap: string | object,
  {
    program = inject("envoyTools").envoy,
    flags = [],
    environment = {},
    files = {},
  }: EnvoyOptions = {},
): Promise<Envoy> {
  const folder = await mkdtemp(join(tmpdir(), "wasmext-envoy-"));
  const text = typeof bootstrap === "string" ? bootstrap : JSON.stringify(bootstrap);
  for (const [name, content] of Object.entries({ ...files, "envoy.yaml": text })) {
    await writeFile(join(folder, name), content);
  }
  const addressFile = join(folder, "admin");
  const parameters = [
    ...["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1"],
    ...["--admin-address-path", addressFile, "--file-flush-interval-msec", "50", ...flags],
  ];
  const log: string[] = [];
  let child: ChildProcess | undefined;
  // A worker that ends early takes its processes along.
  const killNow = (): void => void child?.kill("SIGKILL");
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    process.off("exit", killNow);
    if (ending?.exitCode === null && ending.signalCode === null) {
      const ended = once(ending, "exit");
      ending.kill(signal);
      await ended;
    }
  };
  const admin = async (path: string, method = "GET"): Promise<string> => {
    const address = await readFile(addressFile, "utf8");
    const signal = AbortSignal.timeout(10_000);
    const response = await fetch(`http://${address}/${path}`, { method, signal });
    // It answers /ready with 503 until it is.
    if (!response.ok && response.status !== 503) {
      throw new Error(`Envoy answers ${path} with ${response.status}: ${await response.text()}`);
    }
    return response.text();
  };
  const adminJson = async (path: string): Promise<unknown> => JSON.parse(await admin(path));
  const state = async (): Promise<string> => (await admin("ready")).trim();
  const envoy: Envoy = {
    folder,
    log,
    logged: (line) =>
      eventually(`"${line}" in Envoy's log`, () => log.find((entry) => entry.includes(line))),
    state,
    async live() {
      await eventually("a live Envoy", async () => ((await state()) === "LIVE" ? true : undefined));
    },
    portOf: (listener) =>
      eventually(`a listener ${listener}`, async () => {
        const { listener_statuses: statuses = [] } = (await adminJson("listeners?format=json")) as {
          listener_statuses?: {
            name: string;
            local_address: { socket_address: { port_value: number } };
          }[];
        };
        return statuses.find(({ name }) => name === listener)?.local_address.socket_address
          .port_value;
      }),
    async stats(filter) {
      const lines = (await admin(`stats?filter=${encodeURIComponent(filter)}`)).trim().split("\n");
      return new Map(
        lines.map((line) => {
          const [, name = "", value = ""] = /^(.*?): "?(.*?)"?$/.exec(line) ?? [];
          return [name, value];
        }),
      );
    },
    configDump: (resource) => adminJson(`config_dump?resource=${resource}`),
    admin,
    async residentBytes() {
      const status = await readFile(`/proc/${child?.pid ?? "self"}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    async start() {
      await rm(addressFile, { force: true });
      const started = spawn(program, parameters, {
        cwd: folder,
        env: { ...process.env, ...environment },
        stdio: ["ignore", "pipe", "pipe"],
      });
      child = started;
      process.on("exit", killNow);
      let problem: string | undefined;
      started.once("error", (error) => {
        problem = `Envoy cannot be started: ${error.message}`;
      });
      started.once("exit", () => {
        problem ??= `Envoy has ended: ${log.slice(-3).join("\n")}`;
      });
      for (const stream of [started.stdout, started.stderr]) {
        collectLines(stream, log);
      }
      await eventually("an answer of Envoy's admin interface", async () => {
        if (problem !== undefined) {
          throw new Error(problem);
        }
        return state().catch(() => undefined);
      });
    },
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await envoy.start();
  } catch (error) {
    await envoy[Symbol.asyncDispose]();
    throw error;
  }
  return envoy;
}

function collectLines(stream: NodeJS.ReadableStream, log: string[]): void {
  let rest = "";
  // A chunk may end inside of a character.
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      log.push(line);
    }
  });
}
