import type { Reader } from "../store.ts";
import type { Traffic } from "../reads/traffic.ts";
import type { ResolvedChain } from "./latest-chain.ts";
import { createWaiter } from "./waiter.ts";

/**
 * The chain of a target as it is now, and again whenever it has changed, until the signal is aborted. A
 * slow reader gets the latest chain only.
 *
 * Raises a CatalogError if the chain cannot be resolved.
 */
export async function* watchChain(
  store: Reader,
  target: string,
  traffic: Traffic,
  signal: AbortSignal,
): AsyncGenerator<ResolvedChain, void> {
  const waiter = createWaiter((notify) => store.chainNotifier.subscribe(target, notify), signal);
  try {
    let sent: string | undefined;
    while (!signal.aborted) {
      // One commit may change the chains of thousands of targets, each with its watchers.
      await store.turns.ready();
      const resolved = store.latestChain.resolve(store.state, target, traffic);
      if (resolved.chain.etag !== sent) {
        sent = resolved.chain.etag;
        yield resolved;
      }
      await waiter.wait();
      // A chain can be large and have many watchers, so each message has its turn.
      await store.turns.next();
    }
  } finally {
    waiter.leave();
  }
}
