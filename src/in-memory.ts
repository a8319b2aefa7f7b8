import { createRouterTransport, type Transport } from "@connectrpc/connect";
import { anyone, type Principal } from "./catalog/access/principal.ts";
import type { StoreOptions } from "./catalog/store.ts";
import { defaultBookmarkIntervalMs } from "./catalog/watch/watch.ts";
import { type Catalog, createMemoryCatalog } from "./journal/catalog.ts";
import { createMethodTable } from "./methods/table.ts";
import { errorInterceptor } from "./rpc/error-interceptor.ts";
import type { Modules } from "./modules/modules.ts";
import { noModules } from "./modules/no-modules.ts";
import { createRoutes } from "./rpc/routes.ts";
import { createProxies, type Proxies } from "./xds/proxies.ts";
import { binaryOptions, jsonOptions } from "./wire/options.ts";

/** Options of a catalog without a network. */
export interface InMemoryOptions {
  /** Default: an empty one, which lasts as long as the process. */
  readonly catalog?: Catalog;
  /** Options of the store of the default catalog. */
  readonly store?: StoreOptions;
  /** Who calls. Default: anyone, who may do everything. */
  readonly principal?: Principal;
  /** Encodes messages as JSON. */
  readonly json?: boolean;
  /** After how long without a message a watch sends a bookmark, in ms. Default: 25 s. */
  readonly bookmarkIntervalMs?: number;
  /** The modules that proxies get. Default: none. */
  readonly modules?: Modules;
  /** The proxies that are connected. Default: those of the transport itself. */
  readonly proxies?: Proxies;
}

const ignore = (): void => undefined;

/**
 * Serves a catalog to clients of this process: the same services as a server's, without a network, and
 * without a limit to messages.
 */
export function createInMemoryTransport({
  store,
  catalog = createMemoryCatalog(store),
  principal = anyone,
  json = false,
  bookmarkIntervalMs = defaultBookmarkIntervalMs,
  modules = noModules,
  proxies = createProxies({
    reader: catalog.reader,
    modules,
    notices: { warn: ignore },
  }),
}: InMemoryOptions = {}): Transport {
  const routes = createRoutes(
    createMethodTable(catalog.journal.readiness, new AbortController().signal, proxies),
    {
      ...catalog,
      principal,
      bookmarkIntervalMs,
    },
  );
  return createRouterTransport(routes, {
    router: { interceptors: [errorInterceptor], binaryOptions, jsonOptions },
    transport: { binaryOptions, jsonOptions, useBinaryFormat: !json },
  });
}
