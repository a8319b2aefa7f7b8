import { setTimeout as delay } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import type { TxnRequest, TxnResponse } from "../../../gen/etcdserverpb/rpc_pb.ts";
import type { EtcdClient } from "./client.ts";
import { isLasting } from "./problems.ts";

const retryMs = 100;

/**
 * Sends a transaction again until it is answered. Doing it more than once has to be harmless.
 *
 * Rejects if etcd refuses it, or with the last error at the end of the signal.
 */
export async function untilAnswered(
  client: EtcdClient,
  request: TxnRequest,
  signal: AbortSignal,
): Promise<TxnResponse> {
  for (;;) {
    try {
      return await client.tryTxn(request, signal);
    } catch (error) {
      if (signal.aborted || isLasting(ConnectError.from(error))) {
        throw error;
      }
      await delay(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
