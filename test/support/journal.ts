import type { Sink, Store } from "../../src/catalog/store.ts";
import type { Catalog } from "../../src/journal/catalog.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { createMemoryJournal } from "../../src/journal/memory.ts";

/** Creates a journal in memory that is open on a store of the test's own. */
export function openMemoryJournal(sink: Sink): Journal {
  const journal = createMemoryJournal();
  // Nothing lasts, so it is open at once.
  void journal.open(sink);
  return journal;
}

/** Creates a catalog over a store of the test's own. */
export function catalogOn(store: Store): Catalog {
  return { reader: store, journal: openMemoryJournal(store) };
}
