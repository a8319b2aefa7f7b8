import { resolve } from "node:path";
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

/** Creates the journal of a store. A relative path is one from the working directory. */
export function createJournal(store: StoreOption, observer: StoreObserver): Journal {
  switch (store.kind) {
    case "memory":
      return createMemoryJournal();
    case "sqlite":
      return createSqliteJournal(resolve(store.path), {
        onProblem: (problem) => {
          if (problem === undefined) {
            observer.onRecovery();
          } else {
            observer.onProblem(problem);
          }
        },
      });
  }
}
