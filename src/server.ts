import type { AddressInfo } from "node:net";
import { Code } from "@connectrpc/connect";
import type { Logger } from "pino";
import { defaultBookmarkIntervalMs } from "./catalog/watch/watch.ts";
import type { Catalog } from "./journal/catalog.ts";
import type { Authenticate } from "./auth/authenticate.ts";
import { anyone, nobody } from "./catalog/access/principal.ts";
import type { Modules } from "./modules/modules.ts";
import type { Audit } from "./methods/audit.ts";
import { createOpenWatches, defaultMaxWatches } from "./methods/open-watches.ts";
import { compileRequestRules, createMethodTable } from "./methods/table.ts";
import { rpcError } from "./rpc/errors.ts";
import { createRoutes } from "./rpc/routes.ts";
import {
  createUploads,
  defaultUploadLimits,
  type UploadLimits,
} from "./transport/request/uploads.ts";
import { createHostPolicy } from "./transport/request/host-policy.ts";
import { createOriginPolicy } from "./transport/request/origin-policy.ts";
import {
  createUnreadAnswers,
  defaultUnreadLimits,
  type UnreadLimits,
} from "./transport/answer/unread-answers.ts";
import { credentialsOf } from "./transport/request/credentials.ts";
import { createListener } from "./transport/listener.ts";
import {
  createPort,
  defaultPortLimits,
  type PortLimits,
  type TlsOptions,
} from "./transport/connection/port.ts";

/** The options of a server. */
export interface ServerOptions {
  /** The address to listen on: a name, or an IPv4 or IPv6 address. */
  readonly host: string;
  /** The port to listen on; 0 picks a free one. */
  readonly port: number;
  /** Origins whose pages may call; see `createOriginPolicy` for what an empty list means. */
  readonly allowedOrigins: readonly string[];
  /** Names that requests may be for, besides those of loopback; see `createHostPolicy`. */
  readonly allowedHosts?: readonly string[];
  /** The greatest message, in bytes. */
  readonly maxMessageBytes: number;
  /** Speaks TLS only, if given. */
  readonly tls?: TlsOptions | undefined;
  readonly logger: Logger;
  /** How long a request may take to arrive, in ms. Default: 30 s. */
  readonly requestTimeoutMs?: number;
  /** How much may wait to be read, and for how long. Default: `defaultUnreadLimits`. */
  readonly unread?: Partial<UnreadLimits>;
  /** How much of requests may be held before it is read. Default: `defaultUploadLimits`. */
  readonly uploads?: Partial<UploadLimits>;
  /** The limits of connections. Default: `defaultPortLimits`. */
  readonly connections?: Partial<PortLimits>;
  /** How many watches a caller may have open. Default: `defaultMaxWatches`. */
  readonly maxWatches?: number;
  /** After how long without a message a watch sends a bookmark, in ms. Default: 25 s. */
  readonly bookmarkIntervalMs?: number;
  /** Serves usual calls without Connect, or all calls by it, to compare the two. Default: `all`. */
  readonly frontEnds?: "all" | "connect";
  /** Finds who calls. Default: everyone may do everything. */
  readonly authenticate?: Authenticate;
  /** Where writes are recorded. Default: nowhere. It stays open when the server is closed. */
  readonly audit?: Audit | undefined;
  /** The modules that extensions name. They stay open when the server is closed. */
  readonly modules?: Modules;
  /** The catalog to serve. It stays open when the server is closed. */
  readonly catalog: Catalog;
}

/** A server of the catalog. */
export interface Server {
  /** Begins to serve. Rejects if it cannot listen on the address. */
  listen(): Promise<AddressInfo>;
  /**
   * Replaces the key and certificates for new connections; open ones stay. Raises if they are unusable, or
   * if the server has no TLS.
   */
  setTls(tls: TlsOptions): void;
  /**
   * Stops: accepts nothing more, answers what is under way, ends streams with UNAVAILABLE, and
   * resolves when all is done, within 8 s. Calling it again changes nothing.
   */
  close(): Promise<void>;
}

/** How long a request may take to arrive by default, in ms. */
export const defaultRequestTimeoutMs = 30_000;

/**
 * The greatest message in the request of a stream, in bytes: a stream may stay open, and holds its last
 * request several times over. Valid requests of streams are shorter.
 */
export const maxStreamRequestBytes = 16 * 1024;

/** Within what time a closing server has ended, in ms: 10 s are promised, and the exit takes some of that. */
const closeGraceMs = 8_000;

/** After what time a closing server gives up streams whose clients do not read their end, in ms. */
const streamGraceMs = 7_000;

/** Builds a server from its parts. Raises if TLS key and certificate are unusable. */
export function createServer(options: ServerOptions): Server {
  const bookmarkIntervalMs = options.bookmarkIntervalMs ?? defaultBookmarkIntervalMs;
  const { readiness } = options.catalog.journal;
  const shutdown = new AbortController();
  const now = (): number => performance.now();
  const unread = createUnreadAnswers({ ...defaultUnreadLimits, ...options.unread }, now);
  const isAllowedOrigin = createOriginPolicy(options.allowedOrigins, options.host);
  const table = createMethodTable(readiness, shutdown.signal);
  const open = new Set(
    table.filter(({ method }) => method.access === "open").map(({ desc }) => desc),
  );
  const { authenticate = () => anyone } = options;
  const environment = {
    ...options.catalog,
    bookmarkIntervalMs,
    audit: options.audit,
    watches: createOpenWatches(options.maxWatches ?? defaultMaxWatches),
  };
  const listener = createListener({
    routes: createRoutes(table, environment),
    direct: options.frontEnds === "connect" ? undefined : { table, environment },
    authenticate: (method, exchange) =>
      open.has(method) ? nobody : authenticate(credentialsOf(exchange)),
    maxMessageBytes: options.maxMessageBytes,
    maxStreamRequestBytes,
    requestTimeoutMs: options.requestTimeoutMs ?? defaultRequestTimeoutMs,
    unread,
    uploads: createUploads({ ...defaultUploadLimits, ...options.uploads }),
    hostPolicy: createHostPolicy({
      host: options.host,
      allowedHosts: options.allowedHosts ?? [],
      isAllowedOrigin,
    }),
    isAllowedOrigin,
    readiness,
    shutdown: shutdown.signal,
    logger: options.logger,
    now,
  });
  const port = createPort({
    listener,
    tls: options.tls,
    limits: { ...defaultPortLimits, ...options.connections },
    now,
  });
  let closed: Promise<void> | undefined;
  const closeOnce = async (): Promise<void> => {
    const problem = "the server is going down; connect again";
    shutdown.abort(rpcError(Code.Unavailable, "SHUTTING_DOWN", problem));
    const timer = setTimeout(() => {
      unread.shutDownStreams();
    }, streamGraceMs);
    await port.close(closeGraceMs);
    clearTimeout(timer);
  };
  return {
    async listen() {
      const address = await port.listen(options.port, options.host);
      // A server that serves already says so first.
      setImmediate(() => void compileRequestRules());
      return address;
    },
    setTls: (tls) => {
      port.setTls(tls);
    },
    close() {
      closed ??= closeOnce();
      return closed;
    },
  };
}
