import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
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
      try {
        // The first revision that has not been sent.
        let next = startRevision === 0n ? yield* presentState(store, parent) : startRevision;
        checkStart(store, request, organization);
        let bookmarkDue = performance.now() + bookmarkIntervalMs;
        // One that resumes may have far to go; it is slow only if it falls behind after that.
        let hasCaughtUp = false;
        for (;;) {
          if (signal.aborted) {
            throw ConnectError.from(signal.reason);
          }
          checkKept(store, organization, next);
          const entry = store.history.first(organization, next);
          if (entry !== undefined) {
            const isFarBehind = exceedsBacklog(store.history.since(entry));
            if (isFarBehind && hasCaughtUp) {
              throw tooSlow(next, "it has fallen too far behind", "resume from it");
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
function* presentState(store: Store, parent: string): Generator<WatchResponse, bigint> {
  const { revision } = store.state;
  let state: State | undefined = store.state;
  let position: StatePosition | undefined;
  do {
    if (state === undefined) {
      throw tooSlow(revision, "the state that it began with is no longer kept", "begin with 0");
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
    });
  }
  const oldest = store.history.oldest(organization);
  if (startRevision !== 0n && startRevision < oldest) {
    const problem = `revision ${startRevision} of ${parent} is no longer kept, the oldest one is ${oldest}`;
    const remedy = "begin with start_revision 0";
    throw rpcError(Code.OutOfRange, "REVISION_NOT_KEPT", `${problem}; ${remedy}`, {
      parent,
      oldest_revision: String(oldest),
    });
  }
}

function checkKept(store: Store, organization: string, next: bigint): void {
  if (next < store.history.oldest(organization)) {
    throw tooSlow(next, "what it has not read is no longer kept", "begin with 0");
  }
}

/** How far a reader may fall behind. Far less than the history, so that it can resume. */
const maxBacklog: Amount = { commits: 1_000, bytes: 8 * 1024 * 1024 };

function exceedsBacklog({ commits, bytes }: Amount): boolean {
  return commits > maxBacklog.commits || bytes > maxBacklog.bytes;
}

function tooSlow(next: bigint, what: string, remedy: string): ConnectError {
  const problem = `the reader is too slow: it has not read revision ${next}, and ${what}`;
  return rpcError(Code.ResourceExhausted, "READER_TOO_SLOW", `${problem}; ${remedy}`, {
    next_revision: String(next),
  });
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
