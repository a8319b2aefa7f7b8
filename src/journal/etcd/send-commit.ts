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
import { isLasting, isRefusal } from "./problems.ts";
import { orAborted, type Progress } from "./progress.ts";
import { untilAnswered } from "./until-answered.ts";

/** What is needed to send commits. */
export interface Sending {
  readonly client: EtcdClient;
  readonly progress: Progress;
  /** Resolves when the store has reached the commit. */
  readonly followed: Promise<true>;
  /** Tells whether the store has reached the commit. */
  readonly isFollowed: () => boolean;
  /** How often the store was loaded anew, which brings commits without their ids. */
  readonly loads: () => number;
  /** The signal of whoever writes. */
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
    try {
      const response = await Promise.race([answer, followed]);
      if (response === true) {
        // Its answer says no more.
        answer.catch(() => undefined);
        return true;
      }
      mayBeMade ||= response.succeeded;
      const [result] = response.responses;
      const head =
        result?.response.case === "responseRange" ? result.response.value.kvs[0] : undefined;
      const until = response.succeeded ? response.header?.revision : head?.modRevision;
      await progress.reached(until ?? 0n, signal);
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
  // Not even etcd can tell whether a commit was made that it has compacted.
  throw mayBeMade ? outcomeUnknown() : lost();
}
