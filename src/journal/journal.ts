import type { Plan } from "../catalog/writes/plan.ts";
import type { Sink } from "../catalog/store.ts";
import type { Readiness } from "./readiness.ts";

/**
 * Turns plans into commits that last, and moves the store by them.
 *
 * What every journal promises:
 * 1. Only the journal moves the store: by `restore`, and by `apply` for each commit, in the order of
 *    their revisions, each as a whole.
 * 2. A plan is decided on the latest state of its organization; no other commit of that organization
 *    comes between it and its own.
 * 3. A write is answered when its commit lasts, as this journal understands it, and when the store has
 *    reached its revision.
 * 4. A plan without changes makes no commit. One that raises leaves everything as it was, and so does a
 *    write that rejects for any other reason, but for one whose outcome is unknown: see `write`.
 * 5. After a restart the store holds what was answered, revisions go on, and what is no longer kept of
 *    the history is before its floor.
 */
export interface Journal {
  /** Ready while it is open; a journal that other servers share, while it is in touch with them. */
  readonly readiness: Readiness;
  /** Brings the store to what lasts, and begins to accept writes. */
  open(sink: Sink): Promise<void>;
  /**
   * Decides a plan and carries it out; answers what the plan answers.
   *
   * Rejects with what the plan raises; with the reason of the signal if that is aborted before the
   * commit is made; with a CatalogError of the kind unavailable if the journal is not open.
   */
  write<Answer>(plan: Plan<Answer>, options?: WriteOptions): Promise<Answer>;
  /** Accepts no more writes, and resolves when those under way have been answered. */
  close(): Promise<void>;
}

/** The options of a write. */
export interface WriteOptions {
  /** Gives the write up, unless its commit has been made. */
  readonly signal?: AbortSignal;
  /** Who writes. */
  readonly author?: string;
  /** Why: the method that was called. */
  readonly reason?: string;
  /** Is told the revision of the commit, before the write is answered; nothing if none is made. */
  readonly onCommit?: (revision: bigint) => void;
}
