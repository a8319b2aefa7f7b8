import { type Client, createClient } from "@connectrpc/connect";
import { Tenants } from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { createStore, type Store } from "../../src/catalog/store.ts";
import { type Clients, createClients } from "../../src/cli/clients.ts";
import { createInMemoryTransport, type InMemoryOptions } from "../../src/in-memory.ts";

/** The services over a catalog of their own, without a network. */
export interface InMemory extends Clients {
  readonly tenants: Client<typeof Tenants>;
  readonly store: Store;
}

/** Creates an empty catalog and clients for it. */
export function createInMemory({
  store = createStore(),
  ...options
}: InMemoryOptions = {}): InMemory {
  const transport = createInMemoryTransport({ store, ...options });
  return {
    ...createClients(transport),
    tenants: createClient(Tenants, transport),
    store,
  };
}
