import type { Chain } from "../../../gen/wasmext/v1/chain_pb.ts";
import { resolveChain } from "../chain.ts";
import type { State } from "../state.ts";
import type { Traffic } from "../traffic.ts";

/**
 * The chain that was resolved last. All watchers of a chain ask for it one after the other, so that it is
 * resolved once for all of them.
 */
export interface LatestChain {
  /** The chain of a target; see resolveChain. It is shared, and must not be changed. */
  resolve(state: State, target: string, traffic: Traffic): Chain;
}

/** Creates one that has resolved no chain. */
export function createLatestChain(): LatestChain {
  let latest: { question: string; of: WeakRef<State>; chain: Chain } | undefined;
  return {
    resolve(state, target, traffic) {
      const question = `${target} ${traffic.mode} ${traffic.port}`;
      if (latest?.question !== question || latest.of.deref() !== state) {
        // A past state may hold much that nothing else does, so it is not kept for this.
        const of = new WeakRef(state);
        latest = { question, of, chain: resolveChain(state, target, traffic) };
      }
      return latest.chain;
    },
  };
}
