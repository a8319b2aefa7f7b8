import {
  ConnectError,
  createRouterTransport,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import { createStore, type Store } from "./catalog/store.ts";
import { createMemoryJournal } from "./journal/memory.ts";
import { createRoutes } from "./routes.ts";
import { errorInterceptor } from "./rpc/error-interceptor.ts";
import { inOurForm } from "./rpc/unreadable.ts";
import { binaryOptions } from "./wire/options.ts";

/** Options of a catalog without a network. */
export interface InMemoryOptions {
  /** Default: an empty one. */
  readonly store?: Store;
  /** After how long without a message a watch sends a bookmark, in ms. Default: 25 s. */
  readonly bookmarkIntervalMs?: number;
}

/** Serves a catalog to clients of this process: the same services as a server's, without a network. */
export function createInMemoryTransport({
  store = createStore(),
  bookmarkIntervalMs = 25_000,
}: InMemoryOptions = {}): Transport {
  const routes = createRoutes(
    { store, journal: createMemoryJournal(store), bookmarkIntervalMs },
    new AbortController().signal,
  );
  return createRouterTransport(routes, {
    router: { interceptors: [errorInterceptor], binaryOptions, readMaxBytes },
    transport: { binaryOptions, interceptors: [inFormOfAServer] },
  });
}

/** What a server reads of a message by default, in bytes. */
const readMaxBytes = 4 * 1024 * 1024;

/** Gives the form of a server's errors to those of requests that cannot be read. */
const inFormOfAServer: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    throw inOurForm(ConnectError.from(error), false);
  }
};
