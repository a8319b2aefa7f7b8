import type { AddressInfo } from "node:net";
import { Code } from "@connectrpc/connect";
import type { Logger } from "pino";
import { createStore, type Store } from "./catalog/store.ts";
import { openMemoryJournal } from "./journal/memory.ts";
import { defaultBookmarkIntervalMs } from "./rpc/catalog.ts";
import { rpcError } from "./rpc/errors.ts";
import { createRoutes } from "./routes.ts";
import { createOriginPolicy } from "./transport/cors.ts";
import { createListener } from "./transport/listener.ts";
import { createPort, type TlsOptions } from "./transport/port.ts";

/** What a server needs to know. */
export interface ServerOptions {
  /** The address to listen on: a name, or an IPv4 or IPv6 address. */
  readonly host: string;
  /** The port to listen on; 0 picks a free one. */
  readonly port: number;
  /** Origins whose pages may call; see `createOriginPolicy` for what an empty list means. */
  readonly allowedOrigins: readonly string[];
  /** The greatest message, in bytes. */
  readonly maxMessageBytes: number;
  /** Speaks TLS only, if given. */
  readonly tls?: TlsOptions | undefined;
  readonly logger: Logger;
  /** How long a request may take to arrive, in ms. Default: 30 s. */
  readonly requestTimeoutMs?: number;
  /** How long a client may take to read the answer of a unary call, in ms. Default: 5 min. */
  readonly answerTimeoutMs?: number;
  /** How long a connection may take to show its protocol, in ms. Default: 10 s. */
  readonly prefaceTimeoutMs?: number;
  /** After how long without a message a watch sends a bookmark, in ms. Default: 25 s. */
  readonly bookmarkIntervalMs?: number;
  /** The catalog to serve. Default: an empty one. */
  readonly store?: Store;
}

/** A server of the catalog. */
export interface Server {
  /** Begins to serve. Rejects if the address cannot be had. */
  listen(): Promise<AddressInfo>;
  /**
   * Stops: accepts nothing more, answers what is under way, ends streams with UNAVAILABLE, and
   * resolves when all is done, within 8 s. Calling it again changes nothing.
   */
  close(): Promise<void>;
}

/** Within what time a closing server has ended, in ms: the promise is 10 s, less some for the exit. */
const closeGraceMs = 8_000;

/** Builds a server from its parts. Raises if TLS key and certificate are unusable. */
export function createServer(options: ServerOptions): Server {
  const store = options.store ?? createStore();
  const bookmarkIntervalMs = options.bookmarkIntervalMs ?? defaultBookmarkIntervalMs;
  const journal = openMemoryJournal(store);
  const shutdown = new AbortController();
  const listener = createListener({
    routes: createRoutes({ store, journal, bookmarkIntervalMs }, shutdown.signal),
    maxMessageBytes: options.maxMessageBytes,
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    answerTimeoutMs: options.answerTimeoutMs ?? 5 * 60_000,
    isAllowedOrigin: createOriginPolicy(options.allowedOrigins, options.host),
    shutdown: shutdown.signal,
    logger: options.logger,
    now: () => performance.now(),
  });
  const port = createPort({
    listener,
    tls: options.tls,
    prefaceTimeoutMs: options.prefaceTimeoutMs ?? 10_000,
  });
  let closed: Promise<void> | undefined;
  const closeOnce = (): Promise<void> => {
    const problem = "the server is going down; connect again";
    shutdown.abort(rpcError(Code.Unavailable, "SHUTTING_DOWN", problem));
    return port.close(closeGraceMs);
  };
  return {
    listen: () => port.listen(options.port, options.host),
    close() {
      closed ??= closeOnce();
      return closed;
    },
  };
}
