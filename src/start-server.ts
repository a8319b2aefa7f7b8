import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import { type AuditLog, openAuditLog } from "./audit-log/audit-log.ts";
import { stampOf, watchFiles } from "./auth/file-watch.ts";
import { messageOf } from "./auth/message-of.ts";
import { type Authentication, openAuthentication } from "./auth/open.ts";
import { openCatalog } from "./journal/catalog.ts";
import { createMemoryJournal } from "./journal/memory.ts";
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
  const tlsFiles = tlsFilesOf(options);
  const stamp = await stampOf(tlsFiles);
  const tls = await readTls(options);
  const authentication = await openAuth(options, logger);
  const audit = await openAudit(options, logger);
  const catalog = await openCatalog(createMemoryJournal());
  const server = buildServer(options, {
    catalog,
    audit,
    tls,
    logger,
    ...(authentication !== undefined && { authenticate: authentication.authenticate }),
  });
  const { port } = await listen(server, options);
  const stopWatching =
    tls === undefined
      ? () => undefined
      : watchFiles(tlsFiles, stamp, () => reloadTls(server, options, logger));
  for (const warning of warningsOf(options)) {
    logger.warn(warning);
  }
  const scheme = options.tlsCert === undefined ? "http" : "https";
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    url: `${scheme}://${host}:${port}`,
    async close() {
      stopWatching();
      authentication?.close();
      await server.close();
      await catalog.journal.close();
      await audit?.close();
    },
  };
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
