/*
 * The catalog at one revision of etcd: all objects, with the pending commits applied.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { type EtcdPending, EtcdPendingSchema } from "../../../gen/wasmext/stored/v1/etcd_pb.ts";
import type { Change } from "../../catalog/state/commit.ts";
import { emptyState, type State } from "../../catalog/state/state.ts";
import { stateAfter } from "../../catalog/state/state-after.ts";
import { inTurns, type Turns } from "../../catalog/state/turns.ts";
import { commitOf, putOf } from "../record.ts";
import type { EtcdClient } from "./client.ts";
import { fromPieces, nameOf } from "./commit-requests.ts";
import type { Keys } from "./keys.ts";
import { later, type Mark, noMark } from "./mark.ts";
import { gather } from "./objects.ts";
import { pages } from "./pages.ts";
import type { Pending } from "./pending.ts";

/** A catalog that was loaded. */
export interface Loaded {
  /** Its revision is that of the latest commit. */
  readonly state: State;
  /** The revisions of the heads, by organization. */
  readonly heads: Map<string, bigint>;
  readonly pendings: Map<string, Pending>;
  /** The latest commit; the beginning of the catalog before the first one. */
  last: Mark;
}

/** Loads the catalog at a revision of etcd. */
export async function load(
  client: EtcdClient,
  keys: Keys,
  revision: bigint,
  turns: Turns,
  signal: AbortSignal,
): Promise<Loaded> {
  const objects = gather();
  const heads = new Map<string, bigint>();
  const pendings = new Map<string, Pending>();
  const pieces = new Map<string, Uint8Array[]>();
  let last = noMark;
  for await (const page of pages(client, keys.all, revision, { signal })) {
    await inTurns(
      (function* () {
        for (const { key, value, modRevision } of page) {
          yield;
          const parsed = keys.parse(key);
          switch (parsed?.of) {
            case "object":
              objects.addFirst(parsed.kind, parsed.fqn, value);
              break;
            case "rest":
              objects.addRest(parsed.kind, parsed.fqn, value);
              break;
            case "head":
              heads.set(parsed.organization, modRevision);
              last = later(last, { revision: modRevision, value });
              break;
            case "catalog":
              last = later(last, { revision: modRevision, value });
              break;
            case "pending":
              pendings.set(parsed.organization, {
                pending: fromBinary(EtcdPendingSchema, value),
                revision: modRevision,
              });
              break;
            case "piece": {
              const of = pieces.get(parsed.id) ?? [];
              pieces.set(parsed.id, [...of, value]);
              break;
            }
            default:
          }
        }
      })(),
      turns,
    );
  }
  const latest = [...heads.values()].reduce((a, b) => (a > b ? a : b), 0n);
  const state = await inTurns(stateAfter(latest, changes()), turns);
  // As the bytes of objects, see below.
  return { state, heads, pendings, last: { ...last, value: last.value.slice() } };

  function* changes(): Generator<Change> {
    for (const object of objects.entries()) {
      // Bytes that etcd sent are a view of their page, which would stay in memory with any one object of it.
      yield putOf({ ...object, bytes: object.bytes.slice() });
    }
    for (const { pending, revision: at } of pendings.values()) {
      yield* changesOf(pending, pieces.get(nameOf(pending.id)) ?? [], at);
    }
  }
}

function changesOf(
  { pieces: count }: EtcdPending,
  pieces: readonly Uint8Array[],
  revision: bigint,
): readonly Change[] {
  if (pieces.length < count) {
    throw new RangeError(`the commit ${revision} has ${pieces.length} of ${count} pieces`);
  }
  return commitOf(fromPieces(pieces), revision, emptyState()).commit.changes;
}
