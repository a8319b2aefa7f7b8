/* What a commit, and what a state, means to those who watch an organization or a tenant. */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { type AttachmentSet, AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import {
  type WatchEvent,
  WatchEventSchema,
  type WatchResponse,
  WatchResponseSchema,
} from "../../gen/wasmext/v1/watch_service_pb.ts";
import { attachmentSetsUnder, isUnder } from "./attachment-reads.ts";
import { extensionsOf, isInScope } from "./extension-reads.ts";
import type { HistoryEntry } from "./history.ts";
import type { Usability } from "./scope.ts";
import type { Change, State } from "./state.ts";
import { targetOf } from "./target.ts";

/**
 * The message that a commit sends to the watchers of a scope; undefined if it means nothing to them.
 * Scopes that see the same of a commit share one message.
 *
 * @param scope - the fqn of the commit's organization, or of one of its tenants
 * @param incarnation - of the store that the commit is one of
 */
export function responseOf(
  entry: HistoryEntry,
  scope: string,
  incarnation: string,
): WatchResponse | undefined {
  const seen = changesFor(entry, scope).flatMap((change) => {
    const view = viewOf(change, entry, scope);
    return view === "hidden" ? [] : [{ change, view }];
  });
  if (seen.length === 0) {
    return undefined;
  }
  const isLarge = entry.changes.length > maxSharedChanges;
  const isOrganization = scope === entry.organization;
  const key =
    isLarge && isOrganization ? scope : seen.map(({ change, view }) => view + change.fqn).join(" ");
  const shared = entry.responses.get(key);
  if (shared !== undefined) {
    return shared;
  }
  const events = seen.map(({ change, view }) => eventOf(change, view));
  const response = create(WatchResponseSchema, { revision: entry.revision, events, incarnation });
  // Tenants whose own attachments a large commit changes each see something else of it.
  if (isOrganization || !isLarge || seen.length === 1) {
    entry.responses.set(key, response);
  }
  return response;
}

/** Up to how many changes a commit may have for what each tenant sees of it to be kept. */
const maxSharedChanges = 16;

/** The changes of a commit that can mean something to a scope. */
function changesFor(entry: HistoryEntry, scope: string): readonly Change[] {
  if (scope === entry.organization || entry.changes.length <= maxSharedChanges) {
    return entry.changes;
  }
  const byTenant = (entry.byTenant.value ??= Map.groupBy(entry.changes, ({ kind, fqn }) =>
    kind === "put-attachments" || kind === "delete-attachments" ? targetOf(fqn).tenant : "",
  ));
  // Changes of extensions stand before those of the attachments that go with them.
  return [...(byTenant.get("") ?? []), ...(byTenant.get(scope) ?? [])];
}

/** A message that says: everything up to this revision of this store has been sent. */
export function bookmarkAt(revision: bigint, incarnation: string): WatchResponse {
  return create(WatchResponseSchema, { revision, bookmark: true, incarnation });
}

/** A place in the walk over the state of a scope: after an object that has been sent. */
export interface StatePosition {
  readonly kind: "extension" | "attachment-set";
  readonly fqn: string;
}

/** A part of the state of a scope, as events, and where the next part begins. */
export interface StatePart {
  readonly events: WatchEvent[];
  /** Undefined if this part is the last. */
  readonly next: StatePosition | undefined;
}

/**
 * How much of a state one message sends, encoded: far less than the 4 MiB that most gRPC clients
 * accept. An object that is larger has a message of its own.
 */
const maxPartBytes = 512 * 1024;

/** Reads a part of the state of a scope: from the beginning, or after a position. */
export function statePart(state: State, scope: string, after?: StatePosition): StatePart {
  const events: WatchEvent[] = [];
  let bytes = 0;
  let last = after;
  for (const { position, event, size } of walk(state, scope, after)) {
    bytes += size();
    if (bytes > maxPartBytes && events.length > 0) {
      return { events, next: last };
    }
    events.push(event);
    last = position;
  }
  return { events, next: undefined };
}

interface Step {
  readonly position: StatePosition;
  readonly event: WatchEvent;
  /** The encoded size of the object, in bytes. */
  readonly size: () => number;
}

/** Extensions in execution order, then attachment sets by fqn. */
function* walk(state: State, scope: string, after?: StatePosition): Generator<Step, void> {
  if (after?.kind !== "attachment-set") {
    const last = after && state.extensions.get(after.fqn);
    for (const extension of extensionsOf(state, scope, last)) {
      yield {
        position: { kind: "extension", fqn: extension.fqn },
        event: extensionPut(extension),
        size: () => toBinary(WasmExtensionSchema, extension).byteLength,
      };
    }
  }
  const last = after?.kind === "attachment-set" ? after.fqn : undefined;
  for (const attachmentSet of attachmentSetsUnder(state, scope, last)) {
    yield {
      position: { kind: "attachment-set", fqn: attachmentSet.fqn },
      event: attachmentSetPut(attachmentSet),
      size: () => toBinary(AttachmentSetSchema, attachmentSet).byteLength,
    };
  }
}

/** How a scope sees a change. */
type View = "put" | "deleted" | "hidden";

function viewOf(change: Change, { previous }: HistoryEntry, scope: string): View {
  const { fqn } = change;
  switch (change.kind) {
    case "put-extension":
      return isInScope(scope, change.extension) ? "put" : goneFrom(scope, previous.get(fqn));
    case "delete-extension":
      return goneFrom(scope, previous.get(fqn));
    case "put-attachments":
      return isUnder(scope, fqn) ? "put" : "hidden";
    case "delete-attachments":
      return isUnder(scope, fqn) ? "deleted" : "hidden";
  }
}

/** To a scope that did not have the extension, it was never there, and so it is not gone. */
function goneFrom(scope: string, previous: Usability | undefined): View {
  return previous !== undefined && isInScope(scope, previous) ? "deleted" : "hidden";
}

function eventOf(change: Change, view: "put" | "deleted"): WatchEvent {
  if (view === "put" && change.kind === "put-extension") {
    return extensionPut(change.extension);
  }
  if (view === "put" && change.kind === "put-attachments") {
    return attachmentSetPut(change.attachmentSet);
  }
  const isExtension = change.kind === "put-extension" || change.kind === "delete-extension";
  return create(WatchEventSchema, {
    event: { case: isExtension ? "extensionDeleted" : "attachmentSetDeleted", value: change.fqn },
  });
}

function extensionPut(value: WasmExtension): WatchEvent {
  return create(WatchEventSchema, { event: { case: "extensionPut", value } });
}

function attachmentSetPut(value: AttachmentSet): WatchEvent {
  return create(WatchEventSchema, { event: { case: "attachmentSetPut", value } });
}
