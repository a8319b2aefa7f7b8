/*
 * A commit as transactions. A small one is a single transaction. A large one is stored in pieces before,
 * which nobody follows, and made by a transaction that names them; the keys of its objects are written
 * later (see pending.ts).
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { TxnRequest } from "../../../gen/etcdserverpb/rpc_pb.ts";
import { EtcdHeadSchema, EtcdPendingSchema } from "../../../gen/wasmext/stored/v1/etcd_pb.ts";
import {
  type Commit as CommitRecord,
  CommitSchema,
} from "../../../gen/wasmext/stored/v1/commit_pb.ts";
import { findAttachments, findExtension, type State } from "../../catalog/state/state.ts";
import { binaryOptions } from "../../wire/options.ts";
import { type RecordedCommit, recordOf } from "../record.ts";
import type { Keys } from "./keys.ts";
import { isInParts, objectKindOf, operationsOf } from "./objects.ts";
import {
  exists,
  isAt,
  maxOperations,
  maxRequestBytes,
  type Operation,
  partsOf,
  put,
  read,
  remove,
  transaction,
} from "./requests.ts";

/** The requests that make a commit. */
export interface CommitRequests {
  /** Are sent first; each can be repeated. */
  readonly pieces: readonly TxnRequest[];
  /** Makes the commit, or reads what is in its way. */
  readonly decisive: TxnRequest;
}

/** What a commit was decided on. */
export interface DecidedOn {
  readonly state: State;
  /** The revision of the organization's head; 0 if it has none. */
  readonly head: bigint;
  /** The revision of the write's reservation, which ends with the commit; 0 if it has none. */
  readonly reserved: bigint;
}

/** Builds the requests of a commit. */
export function commitRequests(
  keys: Keys,
  id: Uint8Array,
  recorded: RecordedCommit,
  { state, head, reserved }: DecidedOn,
): CommitRequests {
  const { organization } = recorded.commit;
  const record = recordOf(recorded);
  const inParts = record.changes.flatMap((change, index) =>
    wasInParts(state, change.fqn, objectKindOf(change)) ? [index] : [],
  );
  const conditions = [
    isAt(keys.head(organization), head),
    isAt(keys.pending(organization), reserved),
  ];
  const otherwise = [keys.head(organization), keys.pending(organization)].map((key) =>
    read({ key, keysOnly: true }),
  );
  const end = reserved === 0n ? [] : [remove(keys.pending(organization))];
  const operations = smallOperations(keys, id, record, new Set(inParts), end);
  if (operations !== undefined) {
    return { pieces: [], decisive: transaction(conditions, operations, otherwise) };
  }
  const name = nameOf(id);
  const parts = partsOf(toBinary(CommitSchema, record));
  const reference = { id, pieces: parts.length };
  const pending = create(EtcdPendingSchema, { ...reference, inParts });
  return {
    pieces: parts.map((part, index) =>
      transaction([], [put(keys.piece(organization, name, index), part)]),
    ),
    decisive: transaction(
      // Pieces that were left behind are removed all at once.
      [...conditions, exists(keys.piece(organization, name, 0))],
      [
        put(keys.head(organization), toBinary(EtcdHeadSchema, create(EtcdHeadSchema, reference))),
        put(keys.pending(organization), toBinary(EtcdPendingSchema, pending)),
      ],
      otherwise,
    ),
  };
}

/** The operations of a commit that fits into one transaction. */
function smallOperations(
  keys: Keys,
  id: Uint8Array,
  record: CommitRecord,
  inParts: ReadonlySet<number>,
  end: readonly Operation[],
): Operation[] | undefined {
  if (record.changes.length >= maxOperations) {
    return undefined;
  }
  const commit = {
    ...record,
    changes: record.changes.map((change) => ({ ...change, object: nothing })),
  };
  const head = toBinary(EtcdHeadSchema, create(EtcdHeadSchema, { id, commit }));
  const operations = [put(keys.head(record.organization), head), ...end];
  let bytes = operations[0]?.bytes ?? 0;
  for (const [index, change] of record.changes.entries()) {
    for (const operation of operationsOf(keys, change, { wasInParts: inParts.has(index) })) {
      operations.push(operation);
      bytes += operation.bytes;
    }
    if (operations.length > maxOperations || bytes > maxRequestBytes) {
      return undefined;
    }
  }
  return operations;
}

const nothing = new Uint8Array();

function wasInParts(state: State, fqn: string, kind: "extension" | "attachment-set"): boolean {
  const find = kind === "extension" ? findExtension : findAttachments;
  return isInParts(find(state, fqn)?.bytes);
}

/** The name of an id in keys. */
export function nameOf(id: Uint8Array): string {
  return Buffer.from(id).toString("hex");
}

/** Reads a commit that was stored in pieces. */
export function fromPieces(pieces: readonly Uint8Array[]): CommitRecord {
  return fromBinary(CommitSchema, Buffer.concat(pieces), binaryOptions);
}
