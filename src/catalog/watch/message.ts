import { create } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type WatchEvent,
  WatchEventSchema,
  type WatchResponse,
  WatchResponseSchema,
} from "../../../gen/wasmext/v1/watch_service_pb.ts";
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
  const writer = new BinaryWriter().tag(fields.revision.number, WireType.Varint).int64(revision);
  for (const each of seen) {
    const [field, value] = encodedEvent(each);
    const length = varintSize(value.byteLength) + value.byteLength + 1;
    writer.tag(fields.events.number, WireType.LengthDelimited).uint32(length);
    writer.tag(field, WireType.LengthDelimited).bytes(value);
  }
  writer.tag(fields.incarnation.number, WireType.LengthDelimited).string(incarnation);
  return writer.finish();
}

/** The number of the field of WatchEvent that a change sets, and the bytes of its value. */
function encodedEvent({ change, view }: SeenChange): [number, Uint8Array] {
  if (view === "put" && change.kind === "put-extension") {
    return [eventFields.extensionPut.number, change.extension.bytes];
  }
  if (view === "put" && change.kind === "put-attachments") {
    return [eventFields.attachmentSetPut.number, change.attachmentSet.bytes];
  }
  const field = isOfExtension({ change, view })
    ? eventFields.extensionDeleted
    : eventFields.attachmentSetDeleted;
  return [field.number, Buffer.from(change.fqn)];
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
  const of = isOfExtension({ change, view }) ? "extensionDeleted" : "attachmentSetDeleted";
  return create(WatchEventSchema, { event: { case: of, value: change.fqn } });
}

function isOfExtension({ change: { kind } }: SeenChange): boolean {
  return kind === "put-extension" || kind === "delete-extension";
}

function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}
