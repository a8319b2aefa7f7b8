/*
 * Checks that etcd has the history that was followed. It does not after a restore of an older state.
 *
 * 1. Etcd counts revisions up, and so does the latest commit: heads are replaced, and never removed.
 * 2. As of the revision up to which the catalog was followed, the latest commit is the last one that was
 *    followed. Its number says little, because another history has the same numbers; its head has a random id.
 */
import {
  RangeRequest_SortOrder as Order,
  RangeRequest_SortTarget as By,
} from "../../../gen/etcdserverpb/rpc_pb.ts";
import type { EtcdClient } from "./client.ts";
import type { Position } from "./follower.ts";
import type { Keys } from "./keys.ts";
import { later, type Mark, noMark } from "./mark.ts";
import { Diverged } from "./outdated.ts";
import { isCompacted } from "./problems.ts";

/** The revision of the latest commit. Rejects with Diverged if etcd does not have what was followed. */
export async function latestCommit(
  client: EtcdClient,
  keys: Keys,
  followed: Pick<Position, "revision" | "last">,
  signal: AbortSignal,
): Promise<bigint> {
  const { now, last } = await lastAt(client, keys, 0n, signal);
  const isOlder = now < followed.revision || last.revision < followed.last.revision;
  if (isOlder || !(await hasFollowed(client, keys, followed, signal))) {
    throw new Diverged("etcd does not have the history that was followed, as after a restore");
  }
  return last.revision;
}

async function hasFollowed(
  client: EtcdClient,
  keys: Keys,
  followed: Pick<Position, "revision" | "last">,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { last } = await lastAt(client, keys, followed.revision, signal);
    return (
      last.revision === followed.last.revision &&
      Buffer.compare(last.value, followed.last.value) === 0
    );
  } catch (error) {
    if (isCompacted(error)) {
      // There is nothing to compare with.
      return true;
    }
    throw error;
  }
}

/** The latest mark at a revision of etcd, and the present revision. */
async function lastAt(
  client: EtcdClient,
  keys: Keys,
  revision: bigint,
  signal: AbortSignal,
): Promise<{ readonly now: bigint; readonly last: Mark }> {
  const latestFirst = { limit: 1n, sortOrder: Order.DESCEND, sortTarget: By.MOD };
  const [heads, catalog] = await Promise.all([
    client.range({ ...keys.heads, ...latestFirst, revision }, signal),
    client.range({ key: keys.catalog, revision }, signal),
  ]);
  const marks = [...heads.kvs, ...catalog.kvs].map(({ modRevision, value }) => ({
    revision: modRevision,
    value,
  }));
  return { now: heads.header?.revision ?? 0n, last: marks.reduce(later, noMark) };
}
