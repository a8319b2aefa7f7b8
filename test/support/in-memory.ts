import { type Client, createClient } from "@connectrpc/connect";
import { Tenants } from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import type { StoreOptions } from "../../src/catalog/store.ts";
import { type Clients, createClients } from "../../src/cli/clients.ts";
import { createInMemoryTransport, type InMemoryOptions } from "../../src/in-memory.ts";
import { type Catalog, createMemoryCatalog } from "../../src/journal/catalog.ts";

/** The services over a catalog of their own, without a network. */
export interface InMemory extends Clients, Catalog {
  readonly tenants: Client<typeof Tenants>;
}

/** Creates an empty catalog, unless there is one, and clients for it. */
export function createInMemory({
  catalog,
  store,
  ...options
}: InMemoryOptions & { readonly store?: StoreOptions } = {}): InMemory {
  const { reader, journal } = catalog ?? createMemoryCatalog(store);
  const transport = createInMemoryTransport({ catalog: { reader, journal }, ...options });
  return {
    ...createClients(transport),
    tenants: createClient(Tenants, transport),
    reader,
    journal,
  };
}
