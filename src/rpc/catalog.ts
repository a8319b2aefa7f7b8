import type { Store } from "../catalog/store.ts";
import type { Journal } from "../journal/journal.ts";

/** What the services work on: a store to read, and a journal to write through. */
export interface Catalog {
  readonly store: Store;
  readonly journal: Journal;
}
