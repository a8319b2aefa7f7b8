import { resolve } from "node:path";
import { createEtcdJournal, type EtcdJournalOptions } from "./etcd/journal.ts";
import type { Journal } from "./journal.ts";
import { createMemoryJournal } from "./memory.ts";
import { createSqliteJournal } from "./sqlite/journal.ts";
import type { StoreOption } from "./store-option.ts";

/** Who is told of the troubles of a store while it is open. */
export interface StoreObserver {
  /** Commits cannot be stored. */
  onProblem(problem: string): void;
  /** Commits can be stored again. */
  onRecovery(): void;
}

/** Options of etcd that its URLs do not hold. */
export type EtcdOptions = Pick<EtcdJournalOptions, "prefix" | "tls" | "user">;

/** Creates the journal of a store. A relative path is one from the working directory. */
export function createJournal(
  store: StoreOption,
  observer: StoreObserver,
  etcd: EtcdOptions = {},
): Journal {
  const onProblem = (problem: string | undefined): void => {
    if (problem === undefined) {
      observer.onRecovery();
    } else {
      observer.onProblem(problem);
    }
  };
  switch (store.kind) {
    case "memory":
      return createMemoryJournal();
    case "sqlite":
      return createSqliteJournal(resolve(store.path), { onProblem });
    case "etcd":
      return createEtcdJournal({ ...etcd, endpoints: store.endpoints, onProblem });
  }
}
