import { create, toBinary } from "@bufbuild/protobuf";
import { ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { WatchChainResponse } from "../../gen/wasmext/v1/chain_service_pb.ts";
import {
  type ChainService,
  ResolveChainRequestSchema,
  WatchChainRequestSchema,
  WatchChainResponseSchema,
} from "../../gen/wasmext/v1/chain_service_pb.ts";
import type { Chain } from "../../gen/wasmext/v1/chain_pb.ts";
import { resolveChain } from "../catalog/chain.ts";
import { validated } from "../catalog/validate.ts";
import { watchChain } from "../catalog/watch/chain-watch.ts";
import type { Catalog } from "./catalog.ts";
import { encodedMessage, isBinary } from "./encoded-message.ts";

/** The service `wasmext.v1.ChainService` over a catalog. */
export function chainService({ store }: Catalog): ServiceImpl<typeof ChainService> {
  const encodings = new WeakMap<Chain, Uint8Array>();
  return {
    resolveChain(request) {
      const { target, mode, port } = validated(ResolveChainRequestSchema, request);
      return { chain: resolveChain(store.state, target, { mode, port }) };
    },
    watchChain(request, context) {
      const { target, mode, port } = validated(WatchChainRequestSchema, request);
      return responses(watchChain(store, target, { mode, port }, context.signal), context);
    },
  };

  async function* responses(
    chains: AsyncIterable<Chain>,
    context: HandlerContext,
  ): AsyncGenerator<WatchChainResponse> {
    const inBinary = isBinary(context);
    for await (const chain of chains) {
      yield inBinary ? encoded(chain) : create(WatchChainResponseSchema, { chain });
    }
    throw ConnectError.from(context.signal.reason);
  }

  /** Watchers of a chain share it, so it is encoded once for all of them. */
  function encoded(chain: Chain): WatchChainResponse {
    const bytes =
      encodings.get(chain) ??
      toBinary(WatchChainResponseSchema, create(WatchChainResponseSchema, { chain }));
    encodings.set(chain, bytes);
    return encodedMessage(WatchChainResponseSchema, bytes);
  }
}
