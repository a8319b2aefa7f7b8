/* A server of this process on etcd, with a network of its own between. */
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Reader } from "../../../src/catalog/store.ts";
import { type Clients, createClients } from "../../../src/cli/clients.ts";
import { openCatalog } from "../../../src/journal/catalog.ts";
import type { Journal } from "../../../src/journal/journal.ts";
import { startServer } from "../../support/server.ts";
import { createJournalOn } from "./journal.ts";
import { type Link, openLink } from "./link.ts";

/** A server, with clients that talk gRPC to it. */
export interface CatalogServer extends Clients, AsyncDisposable {
  readonly url: string;
  readonly link: Link;
  readonly reader: Reader;
  readonly journal: Journal;
  /** Resolves when it is ready, or not ready. */
  becomes(isReady: boolean): Promise<void>;
}

/** Starts a server on the nodes of a cluster. */
export async function startCatalogServer(
  urls: readonly string[],
  prefix?: string,
): Promise<CatalogServer> {
  const link = await openLink(urls);
  const journal = createJournalOn(link.urls, prefix);
  const catalog = await openCatalog(journal);
  const server = await startServer({ catalog });
  const sessionManager = new Http2SessionManager(server.url);
  const transport = createGrpcTransport({ baseUrl: server.url, sessionManager });
  return {
    ...createClients(transport),
    url: server.url,
    link,
    ...catalog,
    async becomes(isReady) {
      const { readiness } = journal;
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const check = (): void => {
        if (readiness.isReady === isReady) {
          resolve(undefined);
        }
      };
      const end = readiness.subscribe(check);
      check();
      await promise;
      end();
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      sessionManager.abort();
      await journal.close();
      await link[Symbol.asyncDispose]();
    },
  };
}
