import { create } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type WatchEvent,
  WatchEventSchema,
  type WatchResponse,
  WatchResponseSchema,
} from "../../../gen/wasmext/v1/watch_service_pb.ts";
import type { Change } from "../commit.ts";
import type { SeenChange } from "./view.ts";

/** What a watch sends at once: a commit, a part of the present state, or a bookmark. */
export interface WatchMessage {
  readonly revision: bigint;
  /** Says that everything up to the revision has been sent. */
  readonly bookmark: boolean;
  /** Made when it is first asked for. */
  readonly response: WatchResponse;
  /** The encoded response, made of the stored bytes when it is first asked for. */
  readonly bytes: Uint8Array;
}

/** Creates a message that says what has changed. */
export function changeMessage(
  revision: bigint,
  incarnation: string,
  seen: readonly SeenChange[],
): WatchMessage {
  let response: WatchResponse | undefined;
  let bytes: Uint8Array | undefined;
  return {
    revision,
    bookmark: false,
    get response() {
      response ??= create(WatchResponseSchema, {
        revision,
        incarnation,
        events: seen.map(eventOf),
      });
      return response;
    },
    get bytes() {
      bytes ??= encoded(revision, incarnation, seen);
      return bytes;
    },
  };
}

/** Creates a message that says: everything up to this revision has been sent. */
export function bookmarkMessage(revision: bigint, incarnation: string): WatchMessage {
  return {
    revision,
    bookmark: true,
    get response() {
      return create(WatchResponseSchema, { revision, bookmark: true, incarnation });
    },
    get bytes() {
      return new BinaryWriter()
        .tag(fields.revision.number, WireType.Varint)
        .int64(revision)
        .tag(fields.bookmark.number, WireType.Varint)
        .bool(true)
        .tag(fields.incarnation.number, WireType.LengthDelimited)
        .string(incarnation)
        .finish();
    },
  };
}

const fields = WatchResponseSchema.field;
const eventFields = WatchEventSchema.field;

function encoded(revision: bigint, incarnation: string, seen: readonly SeenChange[]): Uint8Array {
  const head = new BinaryWriter()
    .tag(fields.revision.number, WireType.Varint)
    .int64(revision)
    .tag(fields.incarnation.number, WireType.LengthDelimited)
    .string(incarnation)
    .finish();
  const events = seen.map(encodedEvent);
  const size = events.reduce((sum, event) => sum + delimitedSize(eventSize(event)), 0);
  const bytes = new Uint8Array(head.byteLength + size);
  bytes.set(head);
  let at = head.byteLength;
  const write = (field: number, length: number): void => {
    bytes[at++] = (field << 3) | WireType.LengthDelimited;
    let rest = length;
    for (; rest >= 0x80; rest >>>= 7) {
      bytes[at++] = (rest & 0x7f) | 0x80;
    }
    bytes[at++] = rest;
  };
  for (const event of events) {
    write(fields.events.number, eventSize(event));
    write(event.field, event.value.byteLength);
    bytes.set(event.value, at);
    at += event.value.byteLength;
  }
  return bytes;
}

/** A WatchEvent as the one field of it that is set. Its number, as that of `events`, is up to 15. */
interface EncodedEvent {
  readonly field: number;
  readonly value: Uint8Array;
}

function eventSize({ value }: EncodedEvent): number {
  return delimitedSize(value.byteLength);
}

/** What a field with a tag of one byte, a length and so many bytes takes. */
function delimitedSize(length: number): number {
  let size = length + 2;
  for (let rest = length; rest >= 0x80; rest >>>= 7) {
    size++;
  }
  return size;
}

function encodedEvent({ change, view }: SeenChange): EncodedEvent {
  if (view === "put" && change.kind === "put-extension") {
    return { field: eventFields.extensionPut.number, value: change.extension.bytes };
  }
  if (view === "put" && change.kind === "put-attachments") {
    return { field: eventFields.attachmentSetPut.number, value: change.attachmentSet.bytes };
  }
  const field = isOfExtension(change)
    ? eventFields.extensionDeleted
    : eventFields.attachmentSetDeleted;
  return { field: field.number, value: Buffer.from(change.fqn) };
}

function eventOf({ change, view }: SeenChange): WatchEvent {
  if (view === "put" && change.kind === "put-extension") {
    const { message: value } = change.extension;
    return create(WatchEventSchema, { event: { case: "extensionPut", value } });
  }
  if (view === "put" && change.kind === "put-attachments") {
    const { message: value } = change.attachmentSet;
    return create(WatchEventSchema, { event: { case: "attachmentSetPut", value } });
  }
  const of = isOfExtension(change) ? "extensionDeleted" : "attachmentSetDeleted";
  return create(WatchEventSchema, { event: { case: of, value: change.fqn } });
}

function isOfExtension({ kind }: Change): boolean {
  return kind === "put-extension" || kind === "delete-extension";
}
