import { createEtcdJournal } from "../../../src/journal/etcd/journal.ts";
import type { Journal } from "../../../src/journal/journal.ts";

/** Reasons of errors of writes that were not made. */
export const notMadeReasons: ReadonlySet<string> = new Set([
  "CATALOG_CLOSED",
  "COMMIT_NOT_STORED",
  "OVERTAKEN",
  "STORE_UNREACHABLE",
]);

/** Creates a journal on etcd, which is not open yet. */
export function createJournalOn(endpoints: readonly string[], prefix?: string): Journal {
  return createEtcdJournal({ endpoints, ...(prefix !== undefined && { prefix }) });
}
