/* Catalogs in an etcd of the test's own, each under its prefix. */
import { createEtcdJournal, type EtcdJournalOptions } from "../../src/journal/etcd/journal.ts";
import type { Medium } from "../journal/describe-journal.ts";

let prefixes = 0;

/** A prefix that no other test uses. */
export function freshPrefix(): string {
  return `test/${prefixes++}/`;
}

/** Creates a medium under a prefix of its own. */
export function createMedium(
  endpoints: readonly string[],
  options: Partial<EtcdJournalOptions> = {},
): Medium {
  const prefix = freshPrefix();
  return {
    lasts: true,
    createJournal: () => createEtcdJournal({ endpoints, prefix, ...options }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
