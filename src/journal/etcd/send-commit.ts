/*
 * Sends a commit until it is known whether it was made. A transaction whose answer was lost is sent again as
 * it was: it compares the head, so it cannot be made twice, and if it was made, its id follows.
 */
import { setTimeout as delay } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import { commitNotStored, outcomeUnknown, outOfTouch } from "../../catalog/errors.ts";
import type { EtcdClient } from "./client.ts";
import type { CommitRequests } from "./commit-requests.ts";
import { isNotConnected } from "./connection.ts";
import type { TxnResponse } from "../../../gen/etcdserverpb/rpc_pb.ts";
import { isLasting, isRefusal } from "./problems.ts";
import { orAborted, type Progress } from "./progress.ts";
import { untilAnswered } from "./until-answered.ts";

/** The parameters of sending a commit. */
export interface Sending {
  readonly client: EtcdClient;
  readonly progress: Progress;
  /** Resolves when the store has reached the commit. */
  readonly followed: Promise<true>;
  /** Tells whether the store has reached the commit. */
  readonly isFollowed: () => boolean;
  /** How often the store was loaded anew, which brings commits without their ids. */
  readonly loads: () => number;
  /** The signal of the write's caller. */
  readonly caller: AbortSignal | undefined;
}

const retryMs = 50;

/**
 * Sends a commit. Returns true when the store has reached it, false when another commit came before it.
 *
 * Rejects with the reason of the caller's signal, or with a CatalogError, if it was not made; with that of an
 * unknown outcome if it may have been.
 *
 * @param signal - ends it, at the latest when the caller's does
 */
export async function sendCommit(
  { client, progress, followed, isFollowed, loads, caller }: Sending,
  { pieces, decisive }: CommitRequests,
  signal: AbortSignal,
): Promise<boolean> {
  const lost = () => {
    caller?.throwIfAborted();
    return outOfTouch();
  };
  for (const piece of pieces) {
    await untilAnswered(client, piece, signal).catch((error: unknown) => {
      throw signal.aborted ? lost() : commitNotStored(ConnectError.from(error).rawMessage);
    });
  }
  let mayBeMade = false;
  const loadsBefore = loads();
  while (!signal.aborted) {
    const answer = client.tryTxn(decisive, signal);
    let isAnswered = false;
    try {
      const response = await Promise.race([answer, followed]);
      if (response === true) {
        // Its answer is not needed any more.
        answer.catch(() => undefined);
        return true;
      }
      isAnswered = true;
      mayBeMade ||= response.succeeded;
      await progress.reached(decidedAt(response), signal);
      const isLoadedAnew = loads() !== loadsBefore;
      if (isFollowed() || (response.succeeded && isLoadedAnew)) {
        return true;
      }
      if (!response.succeeded && !(mayBeMade && isLoadedAnew)) {
        return false;
      }
      // A store that is there without it has followed another history, as after a restore of etcd.
      break;
    } catch (raised) {
      if (isAnswered) {
        break;
      }
      const error = ConnectError.from(raised);
      if (isRefusal(error)) {
        if (!mayBeMade && isLasting(error)) {
          throw commitNotStored(error.rawMessage);
        }
      } else {
        mayBeMade ||= !isNotConnected(error);
      }
    }
    const wait = delay(retryMs, undefined, { signal }).catch(() => undefined);
    if ((await orAborted(Promise.race([followed, wait]), signal).catch(() => undefined)) === true) {
      return true;
    }
  }
  if (isFollowed()) {
    return true;
  }
  // Etcd cannot tell whether a commit was made that it has compacted.
  throw mayBeMade ? outcomeUnknown() : lost();
}

/** The revision of the commit, or of what was in its way. */
function decidedAt({ succeeded, header, responses }: TxnResponse): bigint {
  return succeeded
    ? (header?.revision ?? 0n)
    : responses
        .flatMap(({ response }) => (response.case === "responseRange" ? response.value.kvs : []))
        .reduce((latest, { modRevision }) => (modRevision > latest ? modRevision : latest), 0n);
}
