import type { Journal } from "../../../src/journal/journal.ts";
import { createMemoryJournal } from "../../../src/journal/memory.ts";

/** Reasons of errors of writes that were not made. */
export const notMadeReasons: ReadonlySet<string> = new Set(["CATALOG_CLOSED"]);

/** Creates a journal on etcd, which is not open yet. */
export function createJournalOn(urls: readonly string[], prefix?: string): Journal {
  // Stands in until there is a journal on etcd.
  return urls.length > 0 && prefix !== "" ? createMemoryJournal() : createMemoryJournal();
}
