import { Code, ConnectError } from "@connectrpc/connect";
import type { WatchResponse } from "../../gen/wasmext/v1/watch_service_pb.ts";
import type { Clients } from "./clients.ts";
import { reasonOf } from "./failure.ts";
import { type Change, createPlace } from "./watch-place.ts";

/** What to follow, and how. */
export interface FollowOptions {
  /** The fqn of an organization or a tenant. */
  readonly parent: string;
  /** 0 begins with the present state. */
  readonly startRevision: bigint;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /**
   * After how long without a message a connection is taken to be dead, in ms: more than the time
   * between two bookmarks.
   */
  readonly silenceMs: number;
  /** Tells whether there is a token that the server has not seen. */
  readonly hasNewToken: () => boolean;
  /** Is called when the connection is lost, and when the catalog is read anew. */
  readonly note: (text: string) => void;
  /** Milliseconds since any fixed time, for durations. */
  readonly now: () => number;
  /** Waits before a new attempt, in ms; may end early when the signal is aborted. */
  readonly wait: (ms: number) => Promise<void>;
}

/** An attempt that lasted at least this long had reached a server, in ms. */
const patienceMs = 1_000;

/** Between attempts, in ms. */
const leastWaitMs = 100;
const mostWaitMs = 5_000;

/**
 * Follows an organization or a tenant, over lost connections (see watch-place.ts). Yields changes until the
 * signal is aborted.
 *
 * Raises the ConnectError of a request that is refused, unless there is a new token for it, and of a first
 * attempt that cannot reach the server. Later attempts are repeated.
 */
export async function* follow(
  { watches }: Pick<Clients, "watches">,
  { parent, startRevision, signal, silenceMs, hasNewToken, note, now, wait }: FollowOptions,
): AsyncGenerator<Change, void> {
  const place = createPlace(startRevision);
  const noteOnce = createNotes(note);
  let wasConnected = false;
  let waitMs = leastWaitMs;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    const began = now();
    try {
      const request = { parent, ...place.start() };
      for await (const response of messagesOf(watches, request, { signal, silenceMs })) {
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
      if (wasConnected && error.code === Code.Unauthenticated && hasNewToken()) {
        note("the token has expired; going on with the new one");
        continue;
      }
      if (startRevision === 0n && place.isLost(error)) {
        note(`${error.rawMessage.split(";")[0] ?? ""}; showing what has changed since`);
        place.beginAgain();
        continue;
      }
      // The present state is sent at once, but a revision of the future may take its time.
      wasConnected ||= startRevision !== 0n && now() - began >= patienceMs;
      if (!wasConnected || !isPassing(error) || place.isLost(error)) {
        throw error;
      }
      noteOnce(`the connection is lost: ${error.rawMessage}; trying again`);
    }
    await wait(waitMs);
    waitMs = Math.min(waitMs * 2, mostWaitMs);
  }
}

/** The messages of a watch. The watch is ended after a time without messages. */
async function* messagesOf(
  watches: Clients["watches"],
  request: { parent: string; startRevision: bigint; incarnation: string },
  { signal, silenceMs }: Pick<FollowOptions, "signal" | "silenceMs">,
): AsyncGenerator<WatchResponse> {
  const dead = new AbortController();
  const end = AbortSignal.any([signal, dead.signal]);
  const onSilence = (): void => {
    dead.abort(new ConnectError(`no message for ${silenceMs / 1000} s`, Code.Unavailable));
  };
  let silence = setTimeout(onSilence, silenceMs);
  try {
    for await (const response of watches.watch(request, { signal: end, timeoutMs: 0 })) {
      // The time spent on a message does not count.
      clearTimeout(silence);
      yield response;
      silence = setTimeout(onSilence, silenceMs);
    }
  } finally {
    clearTimeout(silence);
  }
}

/** Reports a note once, until it is reset with undefined. */
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

/** Codes of a lost connection, from clients and from proxies. */
const connectionCodes: readonly Code[] = [
  Code.Unavailable,
  Code.Internal,
  Code.Unknown,
  Code.Canceled,
  Code.Aborted,
  Code.DeadlineExceeded,
];
