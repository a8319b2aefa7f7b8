/*
 * Commits as journals store them. A record gives back the commit as it was, with the same bytes of each
 * object.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { WasmExtensionSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  type Change as ChangeRecord,
  Change_Kind as Kind,
  type Commit as CommitRecord,
  CommitSchema,
} from "../../gen/wasmext/stored/v1/commit_pb.ts";
import { AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import type { Change, Commit } from "../catalog/state/commit.ts";
import type { Replaced } from "../catalog/state/history.ts";
import { findAttachments, findExtension, type State } from "../catalog/state/state.ts";
import { restoredFrom, type Stored } from "../catalog/state/stored.ts";
import { binaryOptions } from "../wire/options.ts";

/** A commit, with who could use the extensions that it replaced. */
export interface RecordedCommit {
  readonly commit: Commit;
  readonly replaced: Replaced;
}

/** How many changes or detachments are encoded without a pause. */
const encodedAtOnce = 250;

/**
 * Encodes a commit without its revision, which is where it is stored; yields where other work may run.
 *
 * The parts of an encoded message make the message when they follow one another, lists included.
 */
export function* encodeCommit(recorded: RecordedCommit): Generator<void, Uint8Array> {
  const { changes, metadata } = recorded.commit;
  const { detached } = metadata;
  const parts = [encodePart(metadataOf(recorded))];
  for (let begin = 0; begin < changes.length; begin += encodedAtOnce) {
    const some = changes.slice(begin, begin + encodedAtOnce);
    parts.push(encodePart({ changes: some.map(changeRecord) }));
    yield;
  }
  for (let begin = 0; begin < detached.length; begin += encodedAtOnce) {
    parts.push(encodePart({ detached: detached.slice(begin, begin + encodedAtOnce) }));
    yield;
  }
  return new Uint8Array(Buffer.concat(parts));
}

function encodePart(part: MessageInitShape<typeof CommitSchema>): Uint8Array {
  return toBinary(CommitSchema, create(CommitSchema, part));
}

/** The message of a commit. */
export function recordOf(recorded: RecordedCommit): CommitRecord {
  const { changes, metadata } = recorded.commit;
  return create(CommitSchema, {
    ...metadataOf(recorded),
    changes: changes.map(changeRecord),
    detached: [...metadata.detached],
  });
}

/** What a record holds besides changes and detachments. */
function metadataOf({ commit, replaced }: RecordedCommit) {
  const { organization, metadata } = commit;
  const { time, author, reason } = metadata;
  return {
    organization,
    author,
    reason,
    time: timestampFromMs(time),
    replaced: [...replaced.values()],
  };
}

/**
 * Reads a commit that was encoded.
 *
 * Raises an error if the bytes are not of a commit.
 *
 * @param present - a state to share objects with: most commits are of what is still there
 */
export function decodeCommit(bytes: Uint8Array, revision: bigint, present: State): RecordedCommit {
  return commitOf(fromBinary(CommitSchema, bytes, binaryOptions), revision, present);
}

/**
 * The commit of a message.
 *
 * Raises an error if it is not of a commit.
 *
 * @param present - as in `decodeCommit`
 */
export function commitOf(record: CommitRecord, revision: bigint, present: State): RecordedCommit {
  const { organization, author, reason } = record;
  const changes = record.changes.map((change) => changeOf(change, present));
  const metadata = { time: timeOf(record), author, reason, detached: detachedOf(record) };
  const replaced = new Map(record.replaced.map((usability) => [usability.fqn, usability]));
  return { commit: { revision, organization, changes, metadata }, replaced };
}

/** An object as it was stored. */
export interface StoredObject {
  readonly kind: "extension" | "attachment-set";
  /** Of an attachment set, its target's. */
  readonly fqn: string;
  readonly bytes: Uint8Array;
}

/**
 * The change that puts an object.
 *
 * Raises an error if the bytes are not of such an object.
 */
export function putOf({ kind, fqn, bytes }: StoredObject): Change {
  return kind === "extension"
    ? {
        kind: "put-extension",
        fqn,
        extension: restoredFrom(WasmExtensionSchema, bytes, binaryOptions),
      }
    : {
        kind: "put-attachments",
        fqn,
        attachmentSet: restoredFrom(AttachmentSetSchema, bytes, binaryOptions),
      };
}

function changeRecord(change: Change): Omit<ChangeRecord, "$typeName" | "$unknown"> {
  const { fqn } = change;
  switch (change.kind) {
    case "put-extension":
      return { kind: Kind.PUT_EXTENSION, fqn, object: change.extension.bytes };
    case "put-attachments":
      return { kind: Kind.PUT_ATTACHMENTS, fqn, object: change.attachmentSet.bytes };
    case "delete-extension":
      return { kind: Kind.DELETE_EXTENSION, fqn, object: nothing };
    case "delete-attachments":
      return { kind: Kind.DELETE_ATTACHMENTS, fqn, object: nothing };
  }
}

const nothing = new Uint8Array();

/** The change as it was. Its object has bytes of its own, and does not keep the record. */
function changeOf({ kind, fqn, object: bytes }: ChangeRecord, present: State): Change {
  switch (kind) {
    case Kind.PUT_EXTENSION: {
      const extension = shared(findExtension(present, fqn), bytes);
      return extension === undefined
        ? putOf({ kind: "extension", fqn, bytes: bytes.slice() })
        : { kind: "put-extension", fqn, extension };
    }
    case Kind.PUT_ATTACHMENTS: {
      const attachmentSet = shared(findAttachments(present, fqn), bytes);
      return attachmentSet === undefined
        ? putOf({ kind: "attachment-set", fqn, bytes: bytes.slice() })
        : { kind: "put-attachments", fqn, attachmentSet };
    }
    case Kind.DELETE_EXTENSION:
      return { kind: "delete-extension", fqn };
    case Kind.DELETE_ATTACHMENTS:
      return { kind: "delete-attachments", fqn };
    default:
      throw new TypeError(`the change of ${fqn} is of no kind that is known: ${kind}`);
  }
}

/** The object that is present, if its bytes are the same. */
function shared<Message>(
  present: Stored<Message> | undefined,
  bytes: Uint8Array,
): Stored<Message> | undefined {
  return present !== undefined && Buffer.compare(present.bytes, bytes) === 0 ? present : undefined;
}

function timeOf({ time }: CommitRecord): number {
  return time === undefined ? 0 : timestampMs(time);
}

function detachedOf({ detached }: CommitRecord): Commit["metadata"]["detached"] {
  return detached.flatMap(({ target, position, attachment }) =>
    attachment === undefined ? [] : [{ target, position, attachment }],
  );
}
