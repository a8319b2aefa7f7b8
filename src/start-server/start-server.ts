import type { Logger } from "pino";
import { type AuditLog, openAuditLog } from "../audit-log/audit-log.ts";
import { messageOf } from "../catalog/message-of.ts";
import { createServer, type Server, type ServerOptions } from "../server.ts";
import { Failure } from "../cli/failure.ts";
import { type ServeOptions, warningsOf } from "../cli/serve-options.ts";
import { onModuleFailureOf } from "../xds/proxies.ts";
import { openAuth } from "./open-auth.ts";
import { type Environment, openModules } from "./open-modules.ts";
import { openStore } from "./open-store.ts";
import { invalidPair, openTlsFiles } from "./tls-files.ts";

/** A server that serves. */
export interface StartedServer {
  readonly url: string;
  /** Stops the server, and then closes its store. */
  close(): Promise<void>;
}

/**
 * Starts the server that `wasmext serve` is asked for.
 *
 * Rejects with a Failure if the TLS files, the keys, the grants or the store cannot be used, or the server
 * cannot listen on the address.
 */
export async function startServer(
  options: ServeOptions,
  logger: Logger,
  environment: Environment,
): Promise<StartedServer> {
  /** What to close, in the order in which it was opened. */
  const opened: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of opened.splice(0).reverse()) {
      await closeOne();
    }
  };
  try {
    return { url: await open(options, logger, environment, opened), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens everything that a server needs, and begins to serve. Returns its url. */
async function open(
  options: ServeOptions,
  logger: Logger,
  environment: Environment,
  opened: (() => unknown)[],
): Promise<string> {
  const tlsFiles = await openTlsFiles(options);
  const authentication = await openAuth(options, logger);
  opened.push(() => authentication?.close());
  const audit = await openAudit(options, logger);
  opened.push(() => audit?.close());
  const catalog = await openStore(options, logger);
  opened.push(() => catalog.journal.close());
  const modules = openModules(options, logger, environment);
  opened.push(() => modules.close());
  const server = buildServer(options, {
    catalog,
    audit,
    modules,
    tls: tlsFiles?.tls,
    logger,
    ...(authentication !== undefined && { authenticate: authentication.authenticate }),
  });
  const { port } = await listen(server, options);
  opened.push(() => server.close());
  if (tlsFiles !== undefined) {
    opened.push(tlsFiles.follow(server, logger));
  }
  for (const warning of warningsOf(options)) {
    logger.warn(warning);
  }
  const scheme = tlsFiles === undefined ? "http" : "https";
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return `${scheme}://${host}:${port}`;
}

function buildServer(
  options: ServeOptions,
  parts: Pick<ServerOptions, "catalog" | "audit" | "modules" | "tls" | "logger" | "authenticate">,
): Server {
  try {
    return createServer({
      ...parts,
      host: options.host,
      port: options.port,
      allowedOrigins: options.allowOrigin,
      allowedHosts: options.allowHost,
      maxMessageBytes: options.maxMessageBytes,
      maxWatches: options.maxWatches,
      maxInlineBytes: options.maxInlineModuleBytes,
      onModuleFailure: onModuleFailureOf(options.onModuleFailure),
      requestTimeoutMs: options.requestTimeout * 1000,
      connections: {
        maxConnections: options.maxConnections,
        maxStreams: options.maxStreams,
        headerTimeoutMs: options.headerTimeout * 1000,
        idleTimeoutMs: options.idleTimeout * 1000,
      },
    });
  } catch (error) {
    if (parts.tls === undefined) {
      throw error;
    }
    throw invalidPair(error);
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
