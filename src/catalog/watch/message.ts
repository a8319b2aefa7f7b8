import { create } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type WatchEvent,
  WatchEventSchema,
  type WatchResponse,
  WatchResponseSchema,
} from "../../../gen/wasmext/v1/watch_service_pb.ts";
import { type DelimitedField, encodeFields } from "../../wire/delimited.ts";
import { isOfExtension } from "../state/commit.ts";
import type { SeenChange } from "./view.ts";

/** A message of a watch: a commit, a part of the present state, or a bookmark. */
export interface WatchMessage {
  readonly revision: bigint;
  /** Whether everything up to the revision has been sent. */
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
  const events = seen.map((each) => ({
    number: fields.events.number,
    value: [encodedEvent(each)],
  }));
  return encodeFields(events, head);
}

function encodedEvent({ change, view }: SeenChange): DelimitedField {
  if (view === "put" && change.kind === "put-extension") {
    return { number: eventFields.extensionPut.number, value: change.extension.bytes };
  }
  if (view === "put" && change.kind === "put-attachments") {
    return { number: eventFields.attachmentSetPut.number, value: change.attachmentSet.bytes };
  }
  const field = isOfExtension(change)
    ? eventFields.extensionDeleted
    : eventFields.attachmentSetDeleted;
  return { number: field.number, value: Buffer.from(change.fqn) };
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
