import { createRouterTransport, type Transport } from "@connectrpc/connect";
import { createStore, type Store } from "./catalog/store.ts";
import { openMemoryJournal } from "./journal/memory.ts";
import { createRoutes } from "./routes.ts";
import { defaultBookmarkIntervalMs } from "./rpc/catalog.ts";
import { errorInterceptor } from "./rpc/error-interceptor.ts";
import { binaryOptions } from "./wire/options.ts";

/** Options of a catalog without a network. */
export interface InMemoryOptions {
  /** Default: an empty one. */
  readonly store?: Store;
  /** After how long without a message a watch sends a bookmark, in ms. Default: 25 s. */
  readonly bookmarkIntervalMs?: number;
}

/**
 * Serves a catalog to clients of this process: the same services as a server's, without a network, and
 * without a limit to messages.
 */
export function createInMemoryTransport({
  store = createStore(),
  bookmarkIntervalMs = defaultBookmarkIntervalMs,
}: InMemoryOptions = {}): Transport {
  const routes = createRoutes(
    { store, journal: openMemoryJournal(store), bookmarkIntervalMs },
    new AbortController().signal,
  );
  return createRouterTransport(routes, {
    router: { interceptors: [errorInterceptor], binaryOptions },
    transport: { binaryOptions },
  });
}
