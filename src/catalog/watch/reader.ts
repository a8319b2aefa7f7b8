/*
 * A reader of the changes under an organization or a tenant.
 *
 * 1. A reader holds its position alone; commits are in history.ts, the state that it began with in
 *    snapshots.ts.
 * 2. It returns each commit once, in order, without gaps: a commit that is no longer kept is an error.
 */
import type { Viewer } from "../access/viewer.ts";
import { organizationOf } from "../names/fqn.ts";
import type { Amount } from "../state/history.ts";
import type { State } from "../state/state.ts";
import type { Reader } from "../store.ts";
import {
  fallenBehind,
  otherIncarnation,
  revisionNotKept,
  snapshotNotKept,
  unreadNotKept,
} from "./errors.ts";
import { bookmarkMessage, type WatchMessage } from "./message.ts";
import type { StatePosition } from "./state-part.ts";

/** Where a watch begins. */
export interface WatchStart {
  /** The fqn of an organization or of a tenant. */
  readonly parent: string;
  /** 0 begins with the present state. */
  readonly startRevision: bigint;
  /** The catalog that the revision belongs to; empty if unknown. */
  readonly incarnation: string;
}

/** The position of a reader: what comes next. */
type Position =
  /** The state that is present when its first part is read. */
  | { readonly phase: "start" }
  /** The state at a revision, after an object. */
  | { readonly phase: "state"; readonly revision: bigint; readonly after: StatePosition }
  /** The bookmark that closes the present state. */
  | { readonly phase: "end-of-state"; readonly revision: bigint }
  /** The first commit at or after a revision. */
  | { readonly phase: "commits"; readonly next: bigint };

/** Reads the changes under an organization or a tenant. */
export interface WatchReader {
  /** The fqn of the organization whose commits the reader follows. */
  readonly organization: string;
  /** The revision from which nothing is missed; 0 while the present state has not been read. */
  readonly nextRevision: bigint;
  /**
   * What comes next: a message; `more` if there may be more to read when others have had a turn; or
   * `caught-up` if there is nothing to read before the next commit.
   *
   * Raises a CatalogError that ends the watch.
   *
   * @param isOver - tells whether it is time to let others run
   */
  read(isOver: () => boolean): WatchMessage | "more" | "caught-up";
  /** A message that says up to where everything has been read. */
  bookmark(): WatchMessage;
}

/** How far a reader may fall behind. Far less than the history, so that it can resume. */
export const maxBacklog: Amount = { commits: 1_000, weight: 32 * 1024 * 1024 };

/**
 * Creates a reader.
 *
 * Raises a CatalogError of the kind out-of-range if it cannot begin where it wants to.
 *
 * @param viewer - how it sees extensions
 */
export function createWatchReader(store: Reader, start: WatchStart, viewer: Viewer): WatchReader {
  const { parent, startRevision } = start;
  const organization = organizationOf(parent);
  const { incarnation } = store;
  checkStart(store, start, organization);
  let position: Position =
    startRevision === 0n ? { phase: "start" } : { phase: "commits", next: startRevision };
  // A reader that resumes may begin far behind; it is too slow only if it falls behind later.
  let hasCaughtUp = false;

  const snapshotAt = (revision: bigint): State => {
    const { state, snapshots } = store;
    const kept = state.revision === revision ? state : snapshots.at(organization, revision);
    if (kept === undefined) {
      throw snapshotNotKept(revision);
    }
    return kept;
  };

  const readState = (state: State, after?: StatePosition): WatchMessage => {
    const { revision } = state;
    const question = { scope: parent, viewer, incarnation, after };
    const { message, next } = store.latestParts.read(state, question);
    if (next !== undefined) {
      // The state is not held here while a slow reader reads, so that its memory is bounded.
      store.snapshots.keep(state, organization);
      position = { phase: "state", revision, after: next };
    } else if (message !== undefined) {
      position = { phase: "end-of-state", revision };
    }
    return message ?? endState(revision);
  };

  const endState = (revision: bigint): WatchMessage => {
    position = { phase: "commits", next: revision + 1n };
    return bookmarkMessage(revision, incarnation);
  };

  const readCommits = (
    from: bigint,
    isOver: () => boolean,
  ): WatchMessage | "more" | "caught-up" => {
    let next = from;
    if (next < store.history.oldest(organization)) {
      throw unreadNotKept(next);
    }
    for (let skipped = 1; ; skipped++) {
      const entry = store.history.first(organization, next);
      if (entry === undefined) {
        break;
      }
      const isFarBehind = exceedsBacklog(store.history.since(entry));
      if (isFarBehind && hasCaughtUp) {
        throw fallenBehind(next);
      }
      hasCaughtUp ||= !isFarBehind;
      next = entry.revision + 1n;
      position = { phase: "commits", next };
      const message = store.messages.messageOf(entry, parent, incarnation, viewer);
      if (message !== undefined) {
        return message;
      }
      if (skipped % stepsBetweenLooks === 0 && isOver()) {
        return "more";
      }
    }
    hasCaughtUp = true;
    const { revision } = store.state;
    position = { phase: "commits", next: next > revision ? next : revision + 1n };
    return "caught-up";
  };

  return {
    organization,
    get nextRevision() {
      return position.phase === "commits" ? position.next : 0n;
    },
    read(isOver) {
      if (incarnation !== store.incarnation) {
        throw otherIncarnation(parent, store.state.revision, store.incarnation);
      }
      switch (position.phase) {
        case "start":
          return readState(store.state);
        case "state":
          return readState(snapshotAt(position.revision), position.after);
        case "end-of-state":
          return endState(position.revision);
        case "commits":
          return readCommits(position.next, isOver);
      }
    },
    bookmark() {
      const { revision } = store.state;
      const read = position.phase === "commits" ? position.next - 1n : 0n;
      // A reader that waits for a future revision has read up to the present one.
      return bookmarkMessage(read < revision ? read : revision, incarnation);
    },
  };
}

/** The number of unseen commits between two looks at the clock. */
const stepsBetweenLooks = 64;

function checkStart(
  store: Reader,
  { parent, startRevision, incarnation }: WatchStart,
  organization: string,
): void {
  if (startRevision === 0n) {
    return;
  }
  if (incarnation !== "" && incarnation !== store.incarnation) {
    throw otherIncarnation(parent, startRevision, store.incarnation);
  }
  const oldest = store.history.oldest(organization);
  if (startRevision < oldest) {
    throw revisionNotKept(parent, startRevision, oldest);
  }
}

function exceedsBacklog({ commits, weight }: Amount): boolean {
  return commits > maxBacklog.commits || weight > maxBacklog.weight;
}
