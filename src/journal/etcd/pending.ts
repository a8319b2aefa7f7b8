/*
 * Carries out a pending commit: writes the keys of its objects. The commit has been made before, and all
 * servers have it; until it has been carried out, the organization has no other commit. Any server that finds
 * it may carry it out, several at once too: each transaction holds only while the commit is pending.
 */
import type { EtcdPending } from "../../../gen/wasmext/stored/v1/etcd_pb.ts";
import type { EtcdClient } from "./client.ts";
import { fromPieces, nameOf } from "./commit-requests.ts";
import type { Keys } from "./keys.ts";
import { operationsOf } from "./objects.ts";
import { valuesOf } from "./pages.ts";
import { batchesOf, isAt, remove, transaction } from "./requests.ts";
import { untilAnswered } from "./until-answered.ts";

/** A pending commit, and the revision of its key. */
export interface Pending {
  readonly pending: EtcdPending;
  readonly revision: bigint;
}

/** Carries out the pending commit of an organization. It is no longer pending when this resolves, whoever was first. */
export async function carryOut(
  client: EtcdClient,
  keys: Keys,
  organization: string,
  { pending, revision }: Pending,
  signal: AbortSignal,
): Promise<void> {
  const isPending = isAt(keys.pending(organization), revision);
  const range = keys.piecesOf(organization, nameOf(pending.id));
  const pieces = await valuesOf(client, range, 0n, signal);
  if (pieces.length < pending.pieces) {
    // The pieces go with the key: it has been carried out.
    return;
  }
  const inParts = new Set(pending.inParts);
  const operations = fromPieces(pieces).changes.flatMap((change, index) =>
    operationsOf(keys, change, { wasInParts: inParts.has(index) }),
  );
  const last = [remove(keys.pending(organization)), remove(range)];
  for (const batch of [...batchesOf(operations), last]) {
    const request = transaction([isPending], batch);
    const response = await untilAnswered(client, request, signal);
    if (!response.succeeded) {
      return;
    }
  }
}
