import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import { type AuditLog, openAuditLog } from "./audit-log/audit-log.ts";
import { stampOf, watchFiles } from "./auth/file-watch.ts";
import { type Authentication, openAuthentication } from "./auth/open.ts";
import { messageOf } from "./catalog/message-of.ts";
import { type Catalog, openCatalog } from "./journal/catalog.ts";
import { createJournal, type EtcdOptions } from "./journal/create-journal.ts";
import { parseStoreOption } from "./journal/store-option.ts";
import { UnusableStore } from "./journal/unusable-store.ts";
import { createServer, type Server, type ServerOptions } from "./server.ts";
import type { TlsOptions } from "./transport/connection/port.ts";
import { Failure } from "./cli/failure.ts";
import { warningsOf, type ServeOptions } from "./cli/serve-options.ts";

/** A server that serves. */
export interface StartedServer {
  readonly url: string;
  /** Stops the server, and then closes its store. */
  close(): Promise<void>;
}

/**
 * Starts the server that `wasmext serve` is asked for.
 *
 * Rejects with a Failure if the TLS files, the keys, the grants or the store cannot be used, or the address
 * cannot be had.
 */
export async function startServer(options: ServeOptions, logger: Logger): Promise<StartedServer> {
  /** What to close, in the order in which it was opened. */
  const opened: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of opened.splice(0).reverse()) {
      await closeOne();
    }
  };
  try {
    return { url: await open(options, logger, opened), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens everything that a server needs, and begins to serve. Returns its url. */
async function open(
  options: ServeOptions,
  logger: Logger,
  opened: (() => unknown)[],
): Promise<string> {
  const tlsFiles = tlsFilesOf(options);
  const stamp = await stampOf(tlsFiles);
  const tls = await readTls(options);
  const authentication = await openAuth(options, logger);
  opened.push(() => authentication?.close());
  const audit = await openAudit(options, logger);
  opened.push(() => audit?.close());
  const catalog = await openStore(options, logger);
  opened.push(() => catalog.journal.close());
  const server = buildServer(options, {
    catalog,
    audit,
    tls,
    logger,
    ...(authentication !== undefined && { authenticate: authentication.authenticate }),
  });
  const { port } = await listen(server, options);
  opened.push(() => server.close());
  if (tls !== undefined) {
    opened.push(watchFiles(tlsFiles, stamp, () => reloadTls(server, options, logger)));
  }
  for (const warning of warningsOf(options)) {
    logger.warn(warning);
  }
  const scheme = tls === undefined ? "http" : "https";
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return `${scheme}://${host}:${port}`;
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
  const journal = createJournal(
    parseStoreOption(options.store),
    observer,
    await etcdOptions(options),
  );
  try {
    return await openCatalog(journal);
  } catch (error) {
    throw error instanceof UnusableStore ? new Failure(error.message) : error;
  }
}

async function etcdOptions(options: ServeOptions): Promise<EtcdOptions> {
  const { storePrefix: prefix, storeUser: name, storePasswordFile } = options;
  const read = async (file: string): Promise<Buffer> => {
    try {
      return await readFile(file);
    } catch (error) {
      throw new Failure(`a file of the store cannot be read: ${messageOf(error)}`);
    }
  };
  const tls: Record<string, Buffer> = {};
  const files = { ca: options.storeCa, cert: options.storeCert, key: options.storeKey };
  for (const [key, file] of Object.entries(files)) {
    if (file !== undefined) {
      tls[key] = await read(file);
    }
  }
  if (name === undefined || storePasswordFile === undefined) {
    return { prefix, tls };
  }
  const password = (await read(storePasswordFile)).toString();
  // Most editors end the last line.
  return { prefix, tls, user: { name, password: password.replace(/\r?\n$/, "") } };
}

function buildServer(
  options: ServeOptions,
  parts: Pick<ServerOptions, "catalog" | "audit" | "tls" | "logger" | "authenticate">,
): Server {
  try {
    return createServer({
      ...parts,
      host: options.host,
      port: options.port,
      allowedOrigins: options.allowOrigin,
      allowedHosts: options.allowHost,
      maxMessageBytes: options.maxMessageBytes,
    });
  } catch (error) {
    if (parts.tls === undefined) {
      throw error;
    }
    throw new Failure(noPair(error));
  }
}

async function openAudit(
  { auditLog: path, auditSync: isSync = false }: ServeOptions,
  logger: Logger,
): Promise<AuditLog | undefined> {
  if (path === undefined) {
    return undefined;
  }
  try {
    return await openAuditLog({ path, isSync, logger });
  } catch (error) {
    throw new Failure(`the audit log cannot be opened: ${messageOf(error)}`);
  }
}

async function openAuth(
  options: ServeOptions,
  logger: Logger,
): Promise<Authentication | undefined> {
  const { auth, jwks = "", issuer = "", audience = [], tlsClientCa, grants: grantsFile } = options;
  const notices = {
    info: (text: string): void => {
      logger.info(text);
    },
    warn: (text: string): void => {
      logger.warn(text);
    },
  };
  try {
    switch (auth) {
      case "jwt": {
        const clockSkewMs = options.clockSkew * 1000;
        const rules = { jwks, issuer, audiences: audience, clockSkewMs };
        return await openAuthentication({ kind: "jwt", ...rules, grantsFile }, notices);
      }
      case "none":
        return tlsClientCa === undefined
          ? undefined
          : await openAuthentication({ kind: "certificate", grantsFile }, notices);
    }
  } catch (error) {
    throw new Failure(messageOf(error));
  }
}

function tlsFilesOf({ tlsCert, tlsKey, tlsClientCa }: ServeOptions): string[] {
  return [tlsCert, tlsKey, tlsClientCa].filter((file) => file !== undefined);
}

async function readTls({
  tlsCert,
  tlsKey,
  tlsClientCa,
}: ServeOptions): Promise<TlsOptions | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) {
    return undefined;
  }
  try {
    const [cert, key, clientCa] = await Promise.all([
      readFile(tlsCert),
      readFile(tlsKey),
      tlsClientCa === undefined ? undefined : readFile(tlsClientCa),
    ]);
    if (clientCa !== undefined && tlsClientCa !== undefined) {
      checkCa(tlsClientCa, clientCa.toString("latin1"));
    }
    return { cert, key, clientCa };
  } catch (error) {
    throw error instanceof Failure
      ? error
      : new Failure(`the TLS files cannot be read: ${messageOf(error)}`);
  }
}

/** Node takes what is not a certificate for none, and then verifies nobody. */
function checkCa(file: string, pem: string): void {
  const blocks = pem.match(/-----BEGIN [^-]*-----[^-]*-----END [^-]*-----/g) ?? [];
  try {
    blocks.forEach((block) => new X509Certificate(block));
  } catch {
    blocks.length = 0;
  }
  if (blocks.length === 0) {
    throw new Failure(`--tls-client-ca ${file} does not hold certificates in PEM`);
  }
}

async function reloadTls(server: Server, options: ServeOptions, logger: Logger): Promise<void> {
  try {
    const tls = await readTls(options);
    if (tls !== undefined) {
      server.setTls(tls);
      logger.info("the TLS files have changed, and are in use for new connections");
    }
  } catch (error) {
    const problem = error instanceof Failure ? error.message : noPair(error);
    logger.warn(`${problem}; those from before stay in use`);
  }
}

function noPair(error: unknown): string {
  return `--tls-cert and --tls-key are not a valid pair in PEM: ${messageOf(error)}`;
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
