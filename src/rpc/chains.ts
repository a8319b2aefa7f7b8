import { equals } from "@bufbuild/protobuf";
import { ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type Chain, ChainSchema } from "../../gen/wasmext/v1/chain_pb.ts";
import {
  type ChainService,
  ResolveChainRequestSchema,
  WatchChainRequestSchema,
} from "../../gen/wasmext/v1/chain_service_pb.ts";
import { resolveChain } from "../catalog/chain.ts";
import { validated } from "../catalog/validate.ts";
import { createBell, ringOnChange } from "./bell.ts";
import type { Catalog } from "./catalog.ts";

/** The service `wasmext.v1.ChainService` over a catalog. */
export function chainService({ store }: Catalog): ServiceImpl<typeof ChainService> {
  return {
    resolveChain(request) {
      const { target, mode, port } = validated(ResolveChainRequestSchema, request);
      return { chain: resolveChain(store.state, target, { mode, port }) };
    },
    async *watchChain(request, { signal }) {
      const { target, mode, port } = validated(WatchChainRequestSchema, request);
      const bell = createBell();
      const leave = ringOnChange(store.chainWatchers, target, bell, signal);
      try {
        let sent: Chain | undefined;
        for (;;) {
          const chain = resolveChain(store.state, target, { mode, port });
          if (sent === undefined || !isSameChain(sent, chain)) {
            sent = chain;
            yield { chain };
          }
          await bell.heard(signal, Infinity);
          if (signal.aborted) {
            throw ConnectError.from(signal.reason);
          }
        }
      } finally {
        leave();
      }
    },
  };
}

/** Two chains are the same when the same runs, whatever else has been committed in between. */
function isSameChain(a: Chain, b: Chain): boolean {
  return equals(ChainSchema, a, { ...b, revision: a.revision });
}
