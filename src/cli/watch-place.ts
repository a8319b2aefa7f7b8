/*
 * The position of a watch, so that it can continue after a lost connection.
 *
 * 1. The etag of each reported object is kept, so that a watch which has to begin again with the present
 *    state reports the differences only: each changed object once, and each deleted object.
 * 2. A watch resumes after the last revision that it has seen, in the same incarnation; if the server no
 *    longer keeps that, or says that the watch has to begin anew, it begins again as in 1.
 * 3. The present state is complete with its bookmark. Until then no object is reported as deleted, and a
 *    watch that is cut off begins again.
 */
import { Code, type ConnectError } from "@connectrpc/connect";
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import type { WatchEvent, WatchResponse } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { nextRevisionOf, reasonOf } from "./failure.ts";

/** What has happened to an object. */
export interface Change {
  readonly revision: bigint;
  readonly action: "present" | "created" | "changed" | "put" | "deleted";
  readonly fqn: string;
  /** What it is now; undefined if it is gone. */
  readonly object: WasmExtension | AttachmentSet | undefined;
}

/** The place of a watch. */
export interface WatchPlace {
  /** What to ask for at the beginning of a stream. */
  start(): { startRevision: bigint; incarnation: string };
  /** The changes of a message that have not been reported. */
  read(response: WatchResponse): Generator<Change>;
  /** Tells whether an error means that what is known has to be replaced by the present state. */
  isLost(error: ConnectError): boolean;
  /** Begins again with the present state, to report the differences. */
  beginAgain(): void;
}

/**
 * Creates a place.
 *
 * @param startRevision - 0 begins with the present state
 */
export function createPlace(startRevision: bigint): WatchPlace {
  const etags = new Map<string, string>();
  const listed = new Set<string>();
  const beginsWithRevision = startRevision !== 0n;
  let next = startRevision;
  let incarnation = "";
  let hasState = beginsWithRevision;

  function* readPart({ revision, events, bookmark }: WatchResponse): Generator<Change> {
    for (const { event } of events) {
      const { fqn, object } = objectOf(event);
      listed.add(fqn);
      if (object !== undefined && etags.get(fqn) !== object.etag) {
        const action = !hasState ? "present" : etags.has(fqn) ? "changed" : "created";
        etags.set(fqn, object.etag);
        yield { revision, action, fqn, object };
      }
    }
    if (bookmark) {
      for (const fqn of etags.keys()) {
        if (!listed.has(fqn)) {
          etags.delete(fqn);
          yield { revision, action: "deleted", fqn, object: undefined };
        }
      }
      listed.clear();
      hasState = true;
    }
  }

  function* readCommit({ revision, events }: WatchResponse): Generator<Change> {
    for (const { event } of events) {
      const { fqn, object } = objectOf(event);
      const isKnown = etags.has(fqn);
      if (object === undefined) {
        etags.delete(fqn);
      } else {
        etags.set(fqn, object.etag);
      }
      const put = beginsWithRevision ? "put" : isKnown ? "changed" : "created";
      yield { revision, action: object === undefined ? "deleted" : put, fqn, object };
    }
  }

  return {
    start() {
      listed.clear();
      return { startRevision: next, incarnation: next === 0n ? "" : incarnation };
    },
    *read(response) {
      const isState = next === 0n;
      yield* isState ? readPart(response) : readCommit(response);
      ({ incarnation } = response);
      // A watch that waits for a future revision gets bookmarks of the present one.
      if ((!isState || response.bookmark) && response.revision >= next) {
        next = response.revision + 1n;
      }
    },
    isLost: (error) =>
      next !== 0n &&
      reasonOf(error) !== undefined &&
      (error.code === Code.OutOfRange || nextRevisionOf(error) === "0"),
    beginAgain() {
      next = 0n;
    },
  };
}

function objectOf(event: WatchEvent["event"]): Pick<Change, "fqn" | "object"> {
  switch (event.case) {
    case "extensionPut":
    case "attachmentSetPut":
      return { fqn: event.value.fqn, object: event.value };
    case "extensionDeleted":
    case "attachmentSetDeleted":
      return { fqn: event.value, object: undefined };
    case undefined:
      return { fqn: "", object: undefined };
  }
}
