import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import {
  type WatchRequest,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
  type WatchService,
} from "../../gen/wasmext/v1/watch_service_pb.ts";

import { organizationOf } from "../catalog/fqn.ts";
import type { Amount } from "../catalog/history.ts";
import type { State } from "../catalog/state.ts";
import type { Store } from "../catalog/store.ts";
import { validated } from "../catalog/validate.ts";
import {
  bookmarkAt,
  responseOf,
  type StatePart,
  statePart,
  type StatePosition,
} from "../catalog/watch-events.ts";
import { createBell, ringOnChange } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import { rpcError } from "./errors.ts";
import { inOurForm } from "./unreadable.ts";

/** The service `wasmext.v1.WatchService` over a catalog. */
export function watchService({
  store,
  bookmarkIntervalMs,
}: Catalog): ServiceImpl<typeof WatchService> {
  return {
    async *watch(request, { signal }) {
      const { parent, startRevision } = validated(WatchRequestSchema, request);
      const organization = organizationOf(parent);
      const bell = createBell();
      const leave = ringOnChange(store.commitWatchers, organization, bell, signal);
      // The revision to resume from: 0 until the present state is complete.
      let next = startRevision;
      try {
        checkStart(store, request, organization);
        if (next === 0n) {
          next = yield* presentState(store, parent, signal);
        }
        let bookmarkDue = performance.now() + bookmarkIntervalMs;
        // One that resumes may have far to go; it is slow only if it falls behind after that.
        let hasCaughtUp = false;
        for (;;) {
          if (signal.aborted) {
            throw aborted(signal, next);
          }
          checkKept(store, organization, next);
          const entry = store.history.first(organization, next);
          if (entry !== undefined) {
            const isFarBehind = exceedsBacklog(store.history.since(entry));
            if (isFarBehind && hasCaughtUp) {
              throw tooSlow(next, next, "it has fallen too far behind");
            }
            hasCaughtUp ||= !isFarBehind;
            next = entry.revision + 1n;
            const response = responseOf(entry, parent, store.incarnation);
            if (response !== undefined) {
              yield response;
              bookmarkDue = performance.now() + bookmarkIntervalMs;
            }
            continue;
          }
          hasCaughtUp = true;
          if (next <= store.state.revision) {
            next = store.state.revision + 1n;
          }
          if (performance.now() >= bookmarkDue) {
            // One that waits for the future has seen no more than there is.
            yield bookmarkAt(min(next - 1n, store.state.revision), store.incarnation);
            bookmarkDue = performance.now() + bookmarkIntervalMs;
            continue;
          }
          await bell.heard(signal, bookmarkDue - performance.now());
        }
      } finally {
        leave();
      }
    },
  };
}

/** Sends the present state in parts, and a bookmark; returns the first revision after it. */
function* presentState(
  store: Store,
  parent: string,
  signal: AbortSignal,
): Generator<WatchResponse, bigint> {
  const { revision } = store.state;
  let state: State | undefined = store.state;
  let position: StatePosition | undefined;
  do {
    if (signal.aborted) {
      throw aborted(signal, 0n);
    }
    if (state === undefined) {
      throw tooSlow(revision, 0n, "the state that it began with is no longer kept");
    }
    const { events, next }: StatePart = statePart(state, parent, position);
    if (next !== undefined) {
      // Not held here while a slow reader reads, so that what it costs is bounded.
      store.watchedStates.keep(state);
    }
    if (events.length > 0) {
      state = undefined;
      yield create(WatchResponseSchema, { revision, events, incarnation: store.incarnation });
    }
    state = store.watchedStates.at(revision);
    position = next;
  } while (position !== undefined);
  yield bookmarkAt(revision, store.incarnation);
  return revision + 1n;
}

function checkStart(
  store: Store,
  { parent, startRevision, incarnation }: WatchRequest,
  organization: string,
): void {
  if (startRevision !== 0n && incarnation !== "" && incarnation !== store.incarnation) {
    const problem = `revision ${startRevision} of ${parent} is one of another incarnation of the catalog, which has begun anew since`;
    const remedy = "begin with start_revision 0";
    throw rpcError(Code.OutOfRange, "OTHER_INCARNATION", `${problem}; ${remedy}`, {
      parent,
      incarnation: store.incarnation,
      next_revision: "0",
    });
  }
  const oldest = store.history.oldest(organization);
  if (startRevision !== 0n && startRevision < oldest) {
    const problem = `revision ${startRevision} of ${parent} is no longer kept, the oldest one is ${oldest}`;
    const remedy = "begin with start_revision 0";
    throw rpcError(Code.OutOfRange, "REVISION_NOT_KEPT", `${problem}; ${remedy}`, {
      parent,
      oldest_revision: String(oldest),
      next_revision: "0",
    });
  }
}

function checkKept(store: Store, organization: string, next: bigint): void {
  if (next < store.history.oldest(organization)) {
    throw tooSlow(next, 0n, "what it has not read is no longer kept");
  }
}

/** How far a reader may fall behind. Far less than the history, so that it can resume. */
const maxBacklog: Amount = { commits: 1_000, bytes: 8 * 1024 * 1024 };

function exceedsBacklog({ commits, bytes }: Amount): boolean {
  return commits > maxBacklog.commits || bytes > maxBacklog.bytes;
}

/**
 * The reader has not kept up.
 *
 * @param unread - the revision that it has not read
 * @param next - the revision from which it can resume without missing anything; 0 for none
 */
function tooSlow(unread: bigint, next: bigint, what: string): ConnectError {
  const problem = `the reader is too slow: it has not read revision ${unread}, and ${what}`;
  const remedy = next === 0n ? "begin with start_revision 0" : "resume from it";
  return rpcError(Code.ResourceExhausted, "READER_TOO_SLOW", `${problem}; ${remedy}`, {
    next_revision: String(next),
  });
}

/** The error of a call that was aborted, with the revision from which the watch can resume. */
function aborted({ reason: cause }: AbortSignal, next: bigint): ConnectError {
  const error = inOurForm(ConnectError.from(cause), true);
  const [info] = error.findDetails(ErrorInfoSchema);
  return rpcError(error.code, info?.reason ?? "ABORTED", error.rawMessage, {
    ...info?.metadata,
    next_revision: String(next),
  });
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
