/*
 * Follows a catalog in etcd from a revision on, and moves the store by each commit.
 *
 * 1. Etcd sends events in the order of revisions, and all of a revision in one response, or in fragments of
 *    one. Those with a head are a commit; those without carry out what is pending.
 * 2. The position is the last revision of which everything has been applied. A watch that ends goes on
 *    from there, on whichever endpoint.
 * 3. If etcd has compacted what comes next, the catalog is loaded anew. A compaction also removes the
 *    deletions of its own revision, and a watch that begins there is not told so. So a watch begins with the
 *    last revision that was applied, and skips it.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { type Event, Event_EventType as EventType } from "../../../gen/mvccpb/kv_pb.ts";
import {
  type EtcdHead,
  EtcdHeadSchema,
  EtcdPendingSchema,
} from "../../../gen/wasmext/stored/v1/etcd_pb.ts";
import type { Commit as CommitRecord } from "../../../gen/wasmext/stored/v1/commit_pb.ts";
import { prepare } from "../../catalog/state/state.ts";
import { inTurns } from "../../catalog/state/turns.ts";
import type { Sink } from "../../catalog/store.ts";
import { commitOf, type RecordedCommit } from "../record.ts";
import type { EtcdClient } from "./client.ts";
import { fromPieces, nameOf } from "./commit-requests.ts";
import type { Keys } from "./keys.ts";
import type { Loaded } from "./load.ts";
import { gather, isPut, objectKindOf } from "./objects.ts";
import { Diverged, Outdated } from "./outdated.ts";
import { valuesOf } from "./pages.ts";

/** The position of a follower: the catalog as it was loaded, and as it has moved since. */
export interface Position extends Loaded {
  /** The last revision of which everything has been applied. */
  revision: bigint;
}

/** The options of a follower. */
export interface Following {
  readonly client: EtcdClient;
  readonly keys: Keys;
  readonly sink: Sink;
  /** A commit that this server has decided, by its id, as it was. */
  readonly own: (id: string) => RecordedCommit | undefined;
  /** The watch has begun. Nothing is applied before this resolves. */
  readonly onWatching: () => Promise<void>;
  /** The store has reached the position; `id` is that of the commit, if it is one. */
  readonly onMoved: (position: Position, id: string | undefined) => void;
}

/**
 * Follows until the watch ends.
 *
 * Rejects with Outdated if the catalog has to be loaded anew.
 */
export async function follow(
  following: Following,
  position: Position,
  signal: AbortSignal,
): Promise<never> {
  const { client, keys, onWatching } = following;
  /** The events of a revision that goes on in the next response. */
  let begun: readonly Event[] = [];
  return client.watch(
    { ...keys.watched, startRevision: position.revision, fragment: true },
    async (response) => {
      if (response.canceled) {
        throw new Outdated("etcd has compacted what is next", response.compactRevision);
      }
      if (response.created) {
        await onWatching();
      }
      const groups = [...byRevision([...begun, ...response.events])];
      begun = response.fragment ? (groups.pop()?.[1] ?? []) : [];
      for (const [revision, group] of groups) {
        if (revision > position.revision) {
          await applyGroup(following, position, revision, group, signal).catch((error: unknown) => {
            throw error instanceof ConnectError || error instanceof Outdated || signal.aborted
              ? error
              : new Outdated(error instanceof Error ? error.message : String(error), revision);
          });
        }
      }
    },
    signal,
  );
}

function byRevision(events: readonly Event[]): Map<bigint, Event[]> {
  const groups = new Map<bigint, Event[]>();
  for (const event of events) {
    const revision = event.kv?.modRevision ?? 0n;
    const group = groups.get(revision);
    if (group === undefined) {
      groups.set(revision, [event]);
    } else {
      group.push(event);
    }
  }
  return groups;
}

async function applyGroup(
  following: Following,
  position: Position,
  revision: bigint,
  events: readonly Event[],
  signal: AbortSignal,
): Promise<void> {
  const { keys, sink } = following;
  let committed:
    | { readonly organization: string; readonly head: EtcdHead; readonly value: Uint8Array }
    | undefined;
  const objects = gather();
  for (const { type, kv } of events) {
    const of = kv === undefined ? undefined : keys.parse(kv.key);
    if (kv === undefined || of === undefined) {
      continue;
    }
    const isPutEvent = type === EventType.PUT;
    switch (of.of) {
      case "catalog":
        throw new Outdated("the catalog was replaced");
      case "head":
        if (!isPutEvent) {
          throw new Diverged(`the latest commit of ${of.organization} was removed`);
        }
        committed = {
          organization: of.organization,
          head: fromBinary(EtcdHeadSchema, kv.value),
          value: kv.value,
        };
        break;
      case "pending":
        if (isPutEvent) {
          const pending = fromBinary(EtcdPendingSchema, kv.value);
          position.pendings.set(of.organization, { pending, revision });
        } else {
          position.pendings.delete(of.organization);
        }
        break;
      case "object":
        if (isPutEvent) {
          objects.addFirst(of.kind, of.fqn, kv.value);
        }
        break;
      case "rest":
        if (isPutEvent) {
          objects.addRest(of.kind, of.fqn, kv.value);
        }
        break;
      case "piece":
    }
  }
  if (committed === undefined) {
    position.revision = revision;
    following.onMoved(position, undefined);
    return;
  }
  const { organization, head, value } = committed;
  const id = nameOf(head.id);
  const recorded =
    following.own(id) ??
    commitOf(
      await recordOfHead(following, head, organization, revision, objects, signal),
      revision,
      sink.state,
    );
  const { changes, metadata } = recorded.commit;
  const preparation = prepare(sink.state, { organization, changes });
  const prepared = await inTurns(preparation, sink.turns);
  sink.apply({ revision, organization, changes, metadata }, prepared);
  position.heads.set(organization, revision);
  position.last = { revision, value: value.slice() };
  position.revision = revision;
  following.onMoved(position, id);
}

/** The record of a commit with its objects, from its pieces or from the events of its revision. */
async function recordOfHead(
  { client, keys }: Following,
  { id, commit, pieces: count }: EtcdHead,
  organization: string,
  revision: bigint,
  objects: ReturnType<typeof gather>,
  signal: AbortSignal,
): Promise<CommitRecord> {
  if (commit === undefined) {
    const range = keys.piecesOf(organization, nameOf(id));
    const pieces = await valuesOf(client, range, revision, signal);
    if (pieces.length < count) {
      throw new RangeError(`the commit ${revision} has ${pieces.length} of ${count} pieces`);
    }
    return fromPieces(pieces);
  }
  return {
    ...commit,
    changes: commit.changes.map((change) => {
      const object = isPut(change)
        ? objects.bytesOf(objectKindOf(change), change.fqn)
        : change.object;
      if (object === undefined) {
        throw new RangeError(`the commit ${revision} has no object ${change.fqn}`);
      }
      return { ...change, object };
    }),
  };
}
