import type { Store } from "../catalog/store.ts";
import type { Journal } from "../journal/journal.ts";

/** What the services work on: a store to read, a journal to write through, and how to serve them. */
export interface Catalog {
  readonly store: Store;
  readonly journal: Journal;
  /** After how long without a message a watch sends a bookmark, in ms. */
  readonly bookmarkIntervalMs: number;
}

/** After how long without a message a watch sends a bookmark by default, in ms; 30 s are promised. */
export const defaultBookmarkIntervalMs = 25_000;
