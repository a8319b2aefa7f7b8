import type { Chain } from "../../../gen/wasmext/v1/chain_pb.ts";
import type { Store } from "../store.ts";
import type { Traffic } from "../traffic.ts";
import { createWaiter, subscribeUntilAborted } from "./waiter.ts";

/**
 * The chain of a target as it is now, and again whenever it has changed, until the signal is aborted. One
 * who is slower than the changes gets the latest chain.
 *
 * Raises a CatalogError if the chain cannot be resolved.
 */
export async function* watchChain(
  store: Store,
  target: string,
  traffic: Traffic,
  signal: AbortSignal,
): AsyncGenerator<Chain, void> {
  const waiter = createWaiter();
  const leave = subscribeUntilAborted(store.chainNotifier, target, waiter, signal);
  try {
    let sent: string | undefined;
    while (!signal.aborted) {
      // One commit may change the chains of thousands of targets, each with its watchers.
      await store.turns.ready();
      const chain = store.latestChain.resolve(store.state, target, traffic);
      if (chain.etag !== sent) {
        sent = chain.etag;
        yield chain;
      }
      await waiter.wait(signal, Infinity);
    }
  } finally {
    leave();
  }
}
