/* What watch responses say, in short form; and the state that they amount to. */
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import type { WatchResponse } from "../../gen/wasmext/v1/watch_service_pb.ts";

/** The events of a response as `put FQN` and `deleted FQN`. */
export function eventsOf({ events }: WatchResponse): string[] {
  return events.map(({ event }) => {
    switch (event.case) {
      case "extensionPut":
      case "attachmentSetPut":
        return `put ${event.value.fqn}`;
      case "extensionDeleted":
      case "attachmentSetDeleted":
        return `deleted ${event.value}`;
      case undefined:
        throw new Error("an event without a kind");
    }
  });
}

/** A copy of the catalog that knows nothing but what a watch has told it. */
export interface Replica {
  readonly extensions: Map<string, WasmExtension>;
  readonly attachmentSets: Map<string, AttachmentSet>;
}

/** Creates a copy that holds nothing. */
export function createReplica(): Replica {
  return { extensions: new Map(), attachmentSets: new Map() };
}

/** Does what a response says. Deleting what is not there is an error of the watch. */
export function follow({ extensions, attachmentSets }: Replica, { events }: WatchResponse): void {
  for (const { event } of events) {
    switch (event.case) {
      case "extensionPut":
        extensions.set(event.value.fqn, event.value);
        break;
      case "attachmentSetPut":
        attachmentSets.set(event.value.fqn, event.value);
        break;
      case "extensionDeleted":
        removeKnown(extensions, event.value);
        break;
      case "attachmentSetDeleted":
        removeKnown(attachmentSets, event.value);
        break;
      case undefined:
        throw new Error("an event without a kind");
    }
  }
}

function removeKnown(objects: Map<string, unknown>, fqn: string): void {
  if (!objects.delete(fqn)) {
    throw new Error(`${fqn} was deleted, but it was never there`);
  }
}
