import { createStore, type Reader, type StoreOptions } from "../catalog/store.ts";
import type { Journal } from "./journal.ts";
import { createMemoryJournal } from "./memory.ts";

/**
 * A catalog: a reader of its store, and the journal, which takes writes. Only the journal moves the store.
 * The opener of a catalog closes the journal.
 */
export interface Catalog {
  readonly reader: Reader;
  readonly journal: Journal;
}

/**
 * Opens the catalog that a journal has stored.
 *
 * Rejects if the journal cannot be opened.
 */
export async function openCatalog(journal: Journal, options: StoreOptions = {}): Promise<Catalog> {
  const store = createStore(options);
  await journal.open(store);
  return { reader: store, journal };
}

/** Creates an empty catalog that lasts as long as the process. */
export function createMemoryCatalog(options: StoreOptions = {}): Catalog {
  const store = createStore(options);
  const journal = createMemoryJournal();
  // There is nothing to load, so the journal is open at once.
  void journal.open(store);
  return { reader: store, journal };
}
