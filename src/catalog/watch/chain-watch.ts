import type { Traffic } from "../reads/traffic.ts";
import type { Reader } from "../store.ts";
import type { ResolvedChain } from "./latest-chain.ts";
import type { Source } from "./source.ts";

/**
 * The chain of a target as it is now, and again whenever it has changed. A slow reader gets the latest chain
 * only.
 *
 * Raises a CatalogError if the chain cannot be resolved.
 */
export function watchChain(store: Reader, target: string, traffic: Traffic): Source<ResolvedChain> {
  let sent: string | undefined;
  let hasTurn = true;
  return {
    dueAt: Infinity,
    read(isOver) {
      // One commit may change the chains of thousands of targets, each with its watchers.
      if (isOver()) {
        return "more";
      }
      const resolved = store.latestChain.resolve(store.state, target, traffic);
      if (resolved.chain.etag === sent) {
        return "caught-up";
      }
      // A chain can be large and have many watchers, so each message has its turn.
      if (!hasTurn) {
        hasTurn = true;
        return "more";
      }
      hasTurn = false;
      sent = resolved.chain.etag;
      return resolved;
    },
    subscribe: (notify) => store.chainNotifier.subscribe(target, notify),
  };
}
