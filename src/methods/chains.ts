import { create } from "@bufbuild/protobuf";
import {
  type ChainService,
  ResolveChainRequestSchema,
  ResolveChainResponseSchema,
  WatchChainRequestSchema,
  WatchChainResponseSchema,
} from "../../gen/wasmext/v1/chain_service_pb.ts";
import { validated } from "../catalog/rules/validate.ts";
import { watchChain } from "../catalog/watch/chain-watch.ts";
import { mappedSource } from "../catalog/watch/source.ts";
import type { ServiceMethods } from "./method.ts";

/** The service `wasmext.v1.ChainService`. */
export const chains: ServiceMethods<typeof ChainService> = {
  resolveChain: {
    accept: (request) => validated(ResolveChainRequestSchema, request),
    access: { permission: "READ", resource: ({ target }) => target },
    handle({ target, mode, port }, { reader }) {
      const resolved = reader.latestChain.resolve(reader.state, target, { mode, port });
      const { chain } = resolved;
      return {
        message: () => create(ResolveChainResponseSchema, { chain }),
        bytes: () => resolved.bytes,
      };
    },
  },
  watchChain: {
    accept: (request) => validated(WatchChainRequestSchema, request),
    access: { permission: "READ", resource: ({ target }) => target },
    handle({ target, mode, port }, { reader }) {
      return mappedSource(watchChain(reader, target, { mode, port }), (resolved) => ({
        message: () => create(WatchChainResponseSchema, { chain: resolved.chain }),
        bytes: () => resolved.bytes,
      }));
    },
  },
};
