import { X509Certificate } from "node:crypto";
import type { Logger } from "pino";
import { stampOf, watchFiles } from "../auth/file-watch.ts";
import { readFileBounded } from "../auth/read-file.ts";
import { messageOf } from "../catalog/message-of.ts";
import { Failure } from "../cli/failure.ts";
import type { ServeOptions } from "../cli/serve-options.ts";
import type { Server } from "../server.ts";
import type { TlsOptions } from "../transport/connection/port.ts";

/** The files of `--tls-cert`, `--tls-key` and `--tls-client-ca`. */
export interface TlsFiles {
  /** What they hold. */
  readonly tls: TlsOptions;
  /**
   * Gives a server the files when they have changed. If they cannot be used, it keeps those from before.
   * Returns a function that ends that.
   */
  follow(server: Server, logger: Logger): () => void;
}

/**
 * Opens the TLS files; undefined if the server has none.
 *
 * Rejects with a Failure if they cannot be read.
 */
export async function openTlsFiles({
  tlsCert: cert,
  tlsKey: key,
  tlsClientCa: clientCa,
}: ServeOptions): Promise<TlsFiles | undefined> {
  if (cert === undefined || key === undefined) {
    return undefined;
  }
  const paths: Paths = { cert, key, clientCa };
  const all = Object.values(paths).filter((path) => path !== undefined);
  const stamp = await stampOf(all);
  return {
    tls: await readTls(paths),
    follow: (server, logger) => watchFiles(all, stamp, () => reload(paths, server, logger)),
  };
}

interface Paths {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

async function readTls(paths: Paths): Promise<TlsOptions> {
  try {
    const [cert, key, clientCa] = await Promise.all([
      readFileBounded(paths.cert),
      readFileBounded(paths.key),
      paths.clientCa === undefined ? undefined : readCa(paths.clientCa),
    ]);
    return { cert, key, clientCa };
  } catch (error) {
    throw error instanceof Failure
      ? error
      : new Failure(`the TLS files cannot be read: ${messageOf(error)}`);
  }
}

/** Node reads a file without certificates as an empty list, and then verifies no client. */
async function readCa(path: string): Promise<Buffer> {
  const pem = await readFileBounded(path);
  const blocks =
    pem.toString("latin1").match(/-----BEGIN [^-]*-----[^-]*-----END [^-]*-----/g) ?? [];
  if (blocks.length === 0 || !blocks.every(isCertificate)) {
    throw new Failure(`--tls-client-ca ${path} does not hold certificates in PEM`);
  }
  return pem;
}

function isCertificate(block: string): boolean {
  try {
    new X509Certificate(block);
    return true;
  } catch {
    return false;
  }
}

async function reload(paths: Paths, server: Server, logger: Logger): Promise<void> {
  try {
    const tls = await readTls(paths);
    try {
      server.setTls(tls);
    } catch (error) {
      throw invalidPair(error);
    }
    logger.info("the TLS files have changed, and are in use for new connections");
  } catch (error) {
    logger.warn(`${messageOf(error)}; those from before stay in use`);
  }
}

/** The Failure for an error of Node about a certificate and a key. */
export function invalidPair(error: unknown): Failure {
  return new Failure(`--tls-cert and --tls-key are not a valid pair in PEM: ${messageOf(error)}`);
}
