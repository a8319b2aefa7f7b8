import { resolve } from "node:path";
import type { EtcdJournalOptions } from "./etcd/journal.ts";
import type { Journal } from "./journal.ts";
import { createMemoryJournal } from "./memory.ts";
import type { StoreOption } from "./store-option.ts";

/** Is told of the problems of a store while it is open. */
export interface StoreObserver {
  /** Commits cannot be stored. */
  onProblem(problem: string): void;
  /** Commits can be stored again. */
  onRecovery(): void;
}

/** Options of etcd that its URLs do not hold. */
export type EtcdOptions = Pick<EtcdJournalOptions, "prefix" | "tls" | "user">;

/** Loads what a store needs, and creates its journal. A relative path is one from the working directory. */
export async function createJournal(
  store: StoreOption,
  observer: StoreObserver,
  etcd: EtcdOptions = {},
): Promise<Journal> {
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
    case "sqlite": {
      const { createSqliteJournal } = await import("./sqlite/journal.ts");
      return createSqliteJournal(resolve(store.path), { onProblem });
    }
    case "etcd": {
      const { createEtcdJournal } = await import("./etcd/journal.ts");
      return createEtcdJournal({ ...etcd, endpoints: store.endpoints, onProblem });
    }
  }
}
