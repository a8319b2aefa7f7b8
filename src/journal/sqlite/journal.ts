/*
 * A journal on a SQLite file. Reads are answered by the store in memory; the file holds the objects, and
 * the latest commits for watches that go on after a restart.
 */
import { Worker } from "node:worker_threads";
import { commitNotStored, journalClosed } from "../../catalog/errors.ts";
import { messageOf } from "../../catalog/message-of.ts";
import type { Change } from "../../catalog/state/commit.ts";
import { type HistoryLimits, weighCommit } from "../../catalog/state/history.ts";
import { stateAfter } from "../../catalog/state/state-after.ts";
import { inTurns, type Turns } from "../../catalog/state/turns.ts";
import { defaultHistory, type RestoredCommit, type Sink } from "../../catalog/store.ts";
import { createGroupCommit, type GroupCommit } from "../group-commit.ts";
import type { Journal } from "../journal.ts";
import { createReadiness } from "../readiness.ts";
import { decodeCommit, encodeCommit, putOf, type RecordedCommit } from "../record.ts";
import { UnusableStore } from "../unusable-store.ts";
import { connect, type Connection, FailedCommit } from "./connection.ts";
import type { CommitRow } from "./database.ts";
import { damagedFile } from "./problems.ts";

/** Options of a journal on a file. */
export interface SqliteJournalOptions {
  /** How much history the file keeps. Default: as much as the store. */
  readonly history?: Partial<HistoryLimits>;
  /** The time in ms since 1970. */
  readonly now?: () => number;
  /** Is told when commits cannot be stored, and when they can be again. */
  readonly onProblem?: (problem: string | undefined) => void;
  /** Starts the thread that uses the file. */
  readonly startThread?: () => Worker;
}

/** Starts the thread of worker.ts, or of what it was compiled to. */
function startOwnThread(): Worker {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  // Options of this process are not for the thread.
  return new Worker(new URL(`./worker.${extension}`, import.meta.url), { execArgv: [] });
}

/**
 * Creates a journal on a file. A write is answered when the disk has it.
 *
 * Opening rejects with an UnusableStore if the file cannot be used.
 *
 * @param path - absolute
 */
export function createSqliteJournal(
  path: string,
  {
    history: limits,
    now = Date.now,
    onProblem = () => undefined,
    startThread = startOwnThread,
  }: SqliteJournalOptions = {},
): Journal {
  const readiness = createReadiness();
  let connection: Connection | undefined;
  let group: GroupCommit | undefined;
  let accepts = false;
  let hasProblem = false;

  const report = (problem: string | undefined): void => {
    if (hasProblem !== (problem !== undefined)) {
      hasProblem = problem !== undefined;
      onProblem(problem);
    }
  };

  const persist = async (
    file: Connection,
    commits: readonly RecordedCommit[],
    turns: Turns,
  ): Promise<void> => {
    const rows = await inTurns(rowsOf(commits), turns);
    try {
      await file.append(rows);
    } catch (error) {
      if (error instanceof FailedCommit) {
        report(error.message);
        throw commitNotStored(error.problem);
      }
      throw error;
    }
    report(undefined);
  };

  return {
    readiness,
    async open(sink) {
      const file = await connect(path, {
        limits: { ...defaultHistory, ...limits },
        startThread,
        onLost: () => {
          readiness.set(false);
        },
      });
      connection = file;
      try {
        await load(path, file, sink, now);
      } catch (error) {
        await file.close();
        throw error;
      }
      group = createGroupCommit({
        sink,
        now,
        persist: (commits) => persist(file, commits, sink.turns),
      });
      accepts = true;
      readiness.set(true);
    },
    async write(plan, options) {
      if (group === undefined || !accepts) {
        throw journalClosed();
      }
      return group.write(plan, options);
    },
    async close() {
      accepts = false;
      readiness.set(false);
      await group?.idle();
      await connection?.close();
      connection = undefined;
    },
  };
}

function* rowsOf(commits: readonly RecordedCommit[]): Generator<void, CommitRow[]> {
  const rows: CommitRow[] = [];
  for (const recorded of commits) {
    const { commit, replaced } = recorded;
    const { revision, metadata } = commit;
    const record = yield* encodeCommit(recorded);
    rows.push({ revision, time: metadata.time, weight: weighCommit(commit, replaced), record });
    yield;
  }
  return rows;
}

/** Brings a store to what a file holds. */
async function load(path: string, file: Connection, sink: Sink, now: () => number): Promise<void> {
  const { revision, incarnation, floor } = file.catalog;
  const changes: Change[] = [];
  for await (const rows of file.objects()) {
    for (const row of rows) {
      changes.push(readRow(path, `${row.kind} ${row.fqn}`, () => putOf(row)));
    }
  }
  const state = await inTurns(stateAfter(revision, changes), sink.turns);
  const history: RestoredCommit[] = [];
  for await (const rows of file.commits()) {
    for (const row of rows) {
      const decode = (): RecordedCommit => decodeCommit(row.record, row.revision, state);
      const ageMs = Math.max(0, now() - row.time);
      history.push({ ...readRow(path, `commit ${row.revision}`, decode), ageMs });
    }
  }
  sink.restore({ state, incarnation, floor, history });
}

function readRow<Read>(path: string, what: string, read: () => Read): Read {
  try {
    return read();
  } catch (error) {
    const detail = `${what} cannot be read: ${messageOf(error)}`;
    throw new UnusableStore(damagedFile(path, detail).message, {
      cause: error,
    });
  }
}
