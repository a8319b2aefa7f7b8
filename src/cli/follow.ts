/*
 * Follows what is under an organization or a tenant, over lost connections.
 *
 * 1. What has been told is remembered as one etag an object, so that a watch which has to begin again
 *    with the present state tells the differences alone: each object that changed, once, and each
 *    that is gone.
 * 2. A watch resumes after the last revision that it has seen, of the incarnation that it has seen it
 *    in; if the server no longer knows that, it begins again as in 1.
 * 3. The present state is complete with its bookmark. Until then nothing is taken to be gone, and a
 *    watch that is cut off begins again.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import type { WatchEvent, WatchResponse } from "../../gen/wasmext/v1/watch_service_pb.ts";
import type { Clients } from "./clients.ts";
import { reasonOf } from "./failure.ts";

/** What has happened to an object. */
export interface Change {
  readonly revision: bigint;
  readonly action: "present" | "created" | "changed" | "put" | "deleted";
  readonly fqn: string;
  /** What it is now; undefined if it is gone. */
  readonly object: WasmExtension | AttachmentSet | undefined;
}

/** What to follow, and how. */
export interface FollowOptions {
  /** The fqn of an organization or a tenant. */
  readonly parent: string;
  /** 0 begins with the present state. */
  readonly startRevision: bigint;
  /** Ends it. */
  readonly signal: AbortSignal;
  /**
   * After how long without a message a connection is taken to be dead, in ms: more than the time
   * between two bookmarks.
   */
  readonly silenceMs: number;
  /** Is called when the connection is lost, and when the catalog is read anew. */
  readonly note: (text: string) => void;
  /** Milliseconds since any fixed time, for durations. */
  readonly now: () => number;
  /** Waits before a new attempt, in ms; may end early when the signal is aborted. */
  readonly wait: (ms: number) => Promise<void>;
}

/** After how long an attempt that fails was one with a server, in ms. */
const patienceMs = 1_000;

/** Between attempts, in ms. */
const leastWaitMs = 100;
const mostWaitMs = 5_000;

/**
 * Yields changes as they come, until the signal is aborted.
 *
 * Raises the ConnectError of a request that is refused, and of a server that cannot be reached at the
 * first attempt. Later it is tried again until it is there.
 */
export async function* follow(
  { watches }: Pick<Clients, "watches">,
  { parent, startRevision, signal, silenceMs, note, now, wait }: FollowOptions,
): AsyncGenerator<Change> {
  const place = createPlace(startRevision);
  const noteOnce = createNotes(note);
  let wasConnected = false;
  let waitMs = leastWaitMs;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    const attempt = new AbortController();
    const end = AbortSignal.any([signal, attempt.signal]);
    const silence = setTimeout(() => {
      attempt.abort(new ConnectError(`no word for ${silenceMs / 1000} s`, Code.Unavailable));
    }, silenceMs);
    const began = now();
    try {
      const request = { parent, ...place.start() };
      for await (const response of watches.watch(request, { signal: end, timeoutMs: 0 })) {
        silence.refresh();
        wasConnected = true;
        waitMs = leastWaitMs;
        noteOnce(undefined);
        yield* place.read(response);
      }
      noteOnce("the server has ended the watch; trying again");
    } catch (error) {
      if (isOver()) {
        return;
      }
      if (!(error instanceof ConnectError)) {
        throw error;
      }
      if (error.code === Code.OutOfRange && startRevision === 0n) {
        note(`${error.rawMessage.split(";")[0] ?? ""}; showing what has changed since`);
        place.beginAgain();
        continue;
      }
      // A watch of the future may be answered late; where no server of ours is, an error comes at once.
      wasConnected ||= now() - began >= patienceMs;
      if (!wasConnected || !isPassing(error)) {
        throw error;
      }
      noteOnce(`the connection is lost: ${error.rawMessage}; trying again`);
    } finally {
      clearTimeout(silence);
    }
    await wait(waitMs);
    waitMs = Math.min(waitMs * 2, mostWaitMs);
  }
}

/** Says the same again only after it has been otherwise in between: undefined. */
function createNotes(note: (text: string) => void): (text: string | undefined) => void {
  let last: string | undefined;
  return (text) => {
    if (text !== undefined && text !== last) {
      note(text);
    }
    last = text;
  };
}

/** Tells whether the same request may succeed later. */
function isPassing(error: ConnectError): boolean {
  return reasonOf(error) === undefined
    ? connectionCodes.includes(error.code)
    : error.code === Code.Unavailable || error.code === Code.ResourceExhausted;
}

/** What clients say of a connection that is cut, or what stands in between of a server that is gone. */
const connectionCodes: readonly Code[] = [
  Code.Unavailable,
  Code.Internal,
  Code.Unknown,
  Code.Canceled,
  Code.Aborted,
  Code.DeadlineExceeded,
];

/** How far a watch is. */
function createPlace(startRevision: bigint) {
  const etags = new Map<string, string>();
  const listed = new Set<string>();
  const isComplete = startRevision !== 0n;
  let next = startRevision;
  let incarnation = "";
  let hasState = isComplete;

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
      const put = isComplete ? "put" : isKnown ? "changed" : "created";
      yield { revision, action: object === undefined ? "deleted" : put, fqn, object };
    }
  }

  return {
    start() {
      listed.clear();
      return { startRevision: next, incarnation: next === 0n ? "" : incarnation };
    },
    *read(response: WatchResponse): Generator<Change> {
      const isState = next === 0n;
      yield* isState ? readPart(response) : readCommit(response);
      ({ incarnation } = response);
      // One that waits for a revision in the future gets bookmarks of what there is.
      if ((!isState || response.bookmark) && response.revision >= next) {
        next = response.revision + 1n;
      }
    },
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
