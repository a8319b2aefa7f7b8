import type { Chain } from "../../../gen/wasmext/v1/chain_pb.ts";
import { WatchChainResponseSchema } from "../../../gen/wasmext/v1/chain_service_pb.ts";
import { encodeFields } from "../../wire/delimited.ts";
import { resolveChain } from "../reads/chain.ts";
import { chainSources, encodeChain } from "../reads/chain-bytes.ts";
import type { Traffic } from "../reads/traffic.ts";
import type { State } from "../state/state.ts";

/** A chain as it is sent to those who ask for it, or watch it. It is shared, and must not be changed. */
export interface ResolvedChain {
  readonly chain: Chain;
  /** The encoded response that holds it, of ResolveChain and of WatchChain; made when it is first asked for. */
  readonly bytes: Uint8Array;
}

/**
 * A cache of the chain that was resolved last. The watchers of a chain ask for it one after the other, so
 * it is resolved and encoded once for all of them.
 */
export interface LatestChain {
  /** The chain of a target; see resolveChain. */
  resolve(state: State, target: string, traffic: Traffic): ResolvedChain;
}

/** Creates an empty cache. */
export function createLatestChain(): LatestChain {
  let latest: { question: string; of: WeakRef<State>; resolved: ResolvedChain } | undefined;
  return {
    resolve(state, target, traffic) {
      const question = `${target} ${traffic.mode} ${traffic.port}`;
      if (latest?.question !== question || latest.of.deref() !== state) {
        // A reference to the state would keep a past state in memory.
        const of = new WeakRef(state);
        latest = { question, of, resolved: resolvedChain(state, target, traffic) };
      }
      return latest.resolved;
    },
  };
}

function resolvedChain(state: State, target: string, traffic: Traffic): ResolvedChain {
  const chain = resolveChain(state, target, traffic);
  const sources = chainSources(state, chain);
  let bytes: Uint8Array | undefined;
  return {
    chain,
    get bytes() {
      bytes ??= encodeFields([
        { number: WatchChainResponseSchema.field.chain.number, value: encodeChain(chain, sources) },
      ]);
      return bytes;
    },
  };
}
