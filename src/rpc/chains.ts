import { ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { WatchChainResponse } from "../../gen/wasmext/v1/chain_service_pb.ts";
import {
  type ChainService,
  ResolveChainRequestSchema,
  WatchChainRequestSchema,
  WatchChainResponseSchema,
} from "../../gen/wasmext/v1/chain_service_pb.ts";
import { create } from "@bufbuild/protobuf";
import type { Chain } from "../../gen/wasmext/v1/chain_pb.ts";
import { resolveChain } from "../catalog/chain.ts";
import { validated } from "../catalog/validate.ts";
import { watchChain } from "../catalog/watch/chain-watch.ts";
import type { Catalog } from "./catalog.ts";

/** The service `wasmext.v1.ChainService` over a catalog. */
export function chainService({ store }: Catalog): ServiceImpl<typeof ChainService> {
  return {
    resolveChain(request) {
      const { target, mode, port } = validated(ResolveChainRequestSchema, request);
      return { chain: resolveChain(store.state, target, { mode, port }) };
    },
    watchChain(request, { signal }) {
      const { target, mode, port } = validated(WatchChainRequestSchema, request);
      return responses(watchChain(store, target, { mode, port }, signal), signal);
    },
  };
}

async function* responses(
  chains: AsyncIterable<Chain>,
  signal: AbortSignal,
): AsyncGenerator<WatchChainResponse> {
  for await (const chain of chains) {
    yield create(WatchChainResponseSchema, { chain });
  }
  throw ConnectError.from(signal.reason);
}
