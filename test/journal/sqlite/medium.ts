import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Journal } from "../../../src/journal/journal.ts";
import {
  createSqliteJournal,
  type SqliteJournalOptions,
} from "../../../src/journal/sqlite/journal.ts";
import type { Medium } from "../describe-journal.ts";

/** A file in a folder of its own. */
export interface FileMedium extends Medium {
  readonly path: string;
  createJournal(options?: SqliteJournalOptions): Journal;
  /** Makes the next commits fail in the middle of their transaction. */
  failNextCommit(count?: number): void;
  /** Ends the thread of the file at the next commit. */
  endThread(): void;
}

/** Creates a folder for a file. */
export function createFileMedium({ name = "catalog.db" } = {}): FileMedium {
  const folder = mkdtempSync(join(tmpdir(), "wasmext-sqlite-"));
  const path = join(folder, name);
  const failures = new Int32Array(new SharedArrayBuffer(4));
  const startThread = (): Worker =>
    new Worker(new URL("./failing-worker.ts", import.meta.url), {
      execArgv: [],
      workerData: failures,
    });
  return {
    path,
    lasts: true,
    createJournal: (options) => createSqliteJournal(path, { startThread, ...options }),
    failNextCommit(count = 1) {
      Atomics.add(failures, 0, count);
    },
    endThread() {
      Atomics.store(failures, 0, -1);
    },
    [Symbol.asyncDispose]: () => {
      rmSync(folder, { recursive: true });
      return Promise.resolve();
    },
  };
}
