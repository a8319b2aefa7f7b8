import { createRouterTransport, type Transport } from "@connectrpc/connect";
import { createStore, type Store } from "./catalog/store.ts";
import { defaultBookmarkIntervalMs } from "./catalog/watch/watch.ts";
import { openMemoryJournal } from "./journal/memory.ts";
import { createMethodTable } from "./methods/table.ts";
import { errorInterceptor } from "./rpc/error-interceptor.ts";
import { createRoutes } from "./rpc/routes.ts";
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
  const routes = createRoutes(createMethodTable(new AbortController().signal), {
    reader: store,
    journal: openMemoryJournal(store),
    bookmarkIntervalMs,
  });
  return createRouterTransport(routes, {
    router: { interceptors: [errorInterceptor], binaryOptions },
    transport: { binaryOptions },
  });
}
