import type { Chain } from "../../../gen/wasmext/v1/chain_pb.ts";
import { resolveChain } from "../reads/chain.ts";
import type { Reader } from "../store.ts";
import type { Traffic } from "../reads/traffic.ts";
import { createWaiter, subscribeUntilAborted } from "./waiter.ts";

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
): AsyncGenerator<Chain, void> {
  const waiter = createWaiter();
  const leave = subscribeUntilAborted(store.chainNotifier, target, waiter, signal);
  try {
    let sent: string | undefined;
    while (!signal.aborted) {
      const chain = resolveChain(store.state, target, traffic);
      if (chain.etag !== sent) {
        sent = chain.etag;
        yield chain;
      }
      await waiter.wait(signal, Infinity);
      // A chain can be large, and many may watch it: each is sent in a turn of its own.
      await store.turns.next();
    }
  } finally {
    leave();
  }
}
