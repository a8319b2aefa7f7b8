#!/usr/bin/env node
/*
 * The edge of the process: the only file that touches arguments, signals and exit codes.
 *
 *   cli/        what the commands and their options are
 *   server.ts   builds a server from catalog/, journal/, rpc/ and transport/
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { destination, type Logger, pino } from "pino";
import { reachWarning, serveCommand, type ServeOptions } from "./cli/serve.ts";
import { createServer, type Server } from "./server.ts";
import type { TlsOptions } from "./transport/port.ts";

const exitCodes = { failed: 1, usage: 2 } as const;

/** Within what time of a signal the process ends, in ms. */
const exitWithinMs = 9_500;

/** Is raised if something outside of the program stands in the way; the message is for people. */
class Failure extends Error {}

const program = new Command("wasmext")
  .description("The catalog of WebAssembly extensions for service meshes.")
  .exitOverride();
const serve = serveCommand(runServer).copyInheritedSettings(program);
program.addCommand(serve);

// Nobody who reads what is printed is no reason to stop.
process.stdout.on("error", () => undefined);

// An empty variable says nothing, and is not the empty address.
for (const [name, value] of Object.entries(process.env)) {
  if (name.startsWith("WASMEXT_") && value === "") {
    Reflect.deleteProperty(process.env, name);
  }
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
  } else if (error instanceof Failure) {
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = exitCodes.failed;
  } else {
    throw error;
  }
}

async function runServer(options: ServeOptions): Promise<void> {
  const stderr = destination(2);
  // A log that nobody reads any more is no reason to stop serving.
  stderr.on("error", () => undefined);
  const logger = pino({ level: options.logLevel, base: null }, stderr);
  const server = buildServer(options, logger);
  const { port } = await listen(server, options);
  const warning = reachWarning(options.host);
  if (warning !== undefined) {
    logger.warn(warning);
  }
  stopOnSignal(server);
  const scheme = options.tlsCert === undefined ? "http" : "https";
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  process.stdout.write(`wasmext listening on ${scheme}://${host}:${port}\n`);
}

function buildServer(options: ServeOptions, logger: Logger): Server {
  const tls = readTls(options);
  try {
    return createServer({
      host: options.host,
      port: options.port,
      allowedOrigins: options.allowOrigin,
      maxMessageBytes: options.maxMessageBytes,
      tls,
      logger,
    });
  } catch (error) {
    if (tls === undefined) {
      throw error;
    }
    throw new Failure(`--tls-cert and --tls-key are no usable pair in PEM: ${messageOf(error)}`);
  }
}

function readTls({ tlsCert, tlsKey }: ServeOptions): TlsOptions | undefined {
  if (tlsCert === undefined || tlsKey === undefined) {
    return undefined;
  }
  try {
    return { cert: readFileSync(tlsCert), key: readFileSync(tlsKey) };
  } catch (error) {
    throw new Failure(`the TLS files cannot be read: ${messageOf(error)}`);
  }
}

async function listen(server: Server, { host, port }: ServeOptions): Promise<{ port: number }> {
  try {
    return await server.listen();
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    throw new Failure(
      taken
        ? `port ${port} on ${host} is taken; choose another with --port, or 0 for any free one`
        : `cannot listen on ${host} port ${port}: ${messageOf(error)}; choose another with --host and --port`,
    );
  }
}

/** The first signal stops the server in good order, the next one at once. */
function stopOnSignal(server: Server): void {
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) {
      process.exit(exitCodes.failed);
    }
    isStopping = true;
    // The server ends by itself in less; this holds whatever keeps it.
    setTimeout(() => process.exit(0), exitWithinMs).unref();
    void server.close().then(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
