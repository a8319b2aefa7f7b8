import { readFileSync } from "node:fs";
import type { Logger } from "pino";
import { type Catalog, openCatalog } from "./journal/catalog.ts";
import { createJournal, type EtcdOptions } from "./journal/create-journal.ts";
import { parseStoreOption } from "./journal/store-option.ts";
import { UnusableStore } from "./journal/unusable-store.ts";
import { createServer, type Server, type ServerOptions } from "./server.ts";
import type { TlsOptions } from "./transport/connection/port.ts";
import { Failure } from "./cli/failure.ts";
import { lossWarning, reachWarning, type ServeOptions } from "./cli/commands/serve.ts";

/** A server that serves. */
export interface StartedServer {
  readonly url: string;
  /** Stops the server, and then closes its store. */
  close(): Promise<void>;
}

/**
 * Starts the server that `wasmext serve` is asked for.
 *
 * Rejects with a Failure if the TLS files or the store cannot be used, or the address cannot be had.
 */
export async function startServer(options: ServeOptions, logger: Logger): Promise<StartedServer> {
  const tls = readTls(options);
  const catalog = await openStore(options, logger);
  let server: Server;
  let port: number;
  try {
    server = buildServer(options, { catalog, tls, logger });
    ({ port } = await listen(server, options));
  } catch (error) {
    await catalog.journal.close();
    throw error;
  }
  for (const warning of [reachWarning(options.host), lossWarning(options.store)]) {
    if (warning !== undefined) {
      logger.warn(warning);
    }
  }
  const scheme = options.tlsCert === undefined ? "http" : "https";
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    url: `${scheme}://${host}:${port}`,
    async close() {
      await server.close();
      await catalog.journal.close();
    },
  };
}

async function openStore(options: ServeOptions, logger: Logger): Promise<Catalog> {
  const observer = {
    onProblem: (problem: string) => {
      logger.error(`commits cannot be stored: ${problem}`);
    },
    onRecovery: () => {
      logger.info("commits are stored again");
    },
  };
  const journal = createJournal(parseStoreOption(options.store), observer, etcdOptions(options));
  try {
    return await openCatalog(journal);
  } catch (error) {
    throw error instanceof UnusableStore ? new Failure(error.message) : error;
  }
}

function etcdOptions(options: ServeOptions): EtcdOptions {
  const { storePrefix: prefix, storeUser: name, storePasswordFile } = options;
  const read = (file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Failure(`a file of the store cannot be read: ${messageOf(error)}`);
    }
  };
  const files = { ca: options.storeCa, cert: options.storeCert, key: options.storeKey };
  const tls = Object.fromEntries(
    Object.entries(files).flatMap(([key, file]) => (file === undefined ? [] : [[key, read(file)]])),
  );
  return {
    prefix,
    tls,
    ...(name !== undefined &&
      storePasswordFile !== undefined && {
        // Most editors end the last line.
        user: {
          name,
          password: read(storePasswordFile)
            .toString()
            .replace(/\r?\n$/, ""),
        },
      }),
  };
}

function buildServer(
  options: ServeOptions,
  { catalog, tls, logger }: Pick<ServerOptions, "catalog" | "tls" | "logger">,
): Server {
  try {
    return createServer({
      catalog,
      host: options.host,
      port: options.port,
      allowedOrigins: options.allowOrigin,
      allowedHosts: options.allowHost,
      maxMessageBytes: options.maxMessageBytes,
      tls,
      logger,
    });
  } catch (error) {
    if (tls === undefined) {
      throw error;
    }
    throw new Failure(`--tls-cert and --tls-key are not a valid pair in PEM: ${messageOf(error)}`);
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
