/*
 * The file of a catalog: what it holds, and how commits get into it. All calls block, so they are made in
 * a thread of its own; see thread.ts.
 *
 * 1. A commit is on the disk when `append` returns: WAL, and an fsync for each transaction.
 * 2. Objects, revision and history change in the same transaction.
 * 3. No commit goes to a file that is no longer at its path, where the next start would not find it.
 * 4. The file is locked for as long as it is open. The lock ends with the process, however that ends.
 */
import { statSync } from "node:fs";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type Change,
  Change_Kind as Kind,
  CommitSchema,
} from "../../../gen/wasmext/stored/v1/commit_pb.ts";
import type { HistoryLimits } from "../../catalog/state/history.ts";
import type { StoredObject } from "../record.ts";
import { createFileGuard } from "./file-guard.ts";
import { createHistoryBounds } from "./history-bounds.ts";
import { UnusableStore } from "../unusable-store.ts";
import { checkPath, damagedFile, foreignFile, newerFile, unusable } from "./problems.ts";
import { formatOf, formatVersion, migrate } from "./schema.ts";

/** A file that is open. */
export interface Database {
  readonly catalog: StoredCatalog;
  /** All objects, in chunks. */
  objects(): Iterable<readonly ObjectRow[]>;
  /** The history, oldest first, in chunks. */
  commits(): Iterable<readonly CommitRow[]>;
  /**
   * Stores commits, in the order of their revisions, and drops what is too much of the history.
   *
   * Raises an error of SQLite if that fails; the file is as before then.
   */
  append(commits: readonly CommitRow[]): void;
  close(): void;
}

/** The catalog that a file holds, without objects and commits. */
export interface StoredCatalog {
  readonly incarnation: string;
  readonly revision: bigint;
  /** The oldest revision from which on all commits are stored. */
  readonly floor: bigint;
}

/** A row of `objects`. */
export type ObjectRow = StoredObject;

/** A row of `commits`. */
export interface CommitRow {
  readonly revision: bigint;
  readonly time: number;
  readonly weight: number;
  readonly record: Uint8Array;
}

/** How long to wait for a server that is about to end, in ms. */
const busyMs = 1_000;

/** About how many bytes a chunk of rows holds. */
const chunkBytes = 1024 * 1024;

/**
 * Opens a file, creates it if it does not exist, and brings it to the present format.
 *
 * Raises an UnusableStore if it is not a catalog, or cannot be written, and leaves it as it is then.
 */
export function openDatabase(path: string, limits: HistoryLimits): Database {
  let database: DatabaseSync | undefined;
  try {
    checkPath(path);
    checkOwner(path);
    database = new DatabaseSync(path, { timeout: busyMs });
    prepareFile(database, path);
    return createDatabase(database, path, limits);
  } catch (error) {
    closeQuietly(database);
    throw unusable(path, error);
  }
}

/** Refuses files of other programs, and leaves no trace in them: no lock, no journal, no checkpoint. */
function checkOwner(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    return;
  }
  const untouched = pathToFileURL(path);
  untouched.searchParams.set("immutable", "1");
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(untouched, { readOnly: true });
    checkFormat(database, path);
  } catch (error) {
    if (error instanceof UnusableStore) {
      throw error;
    }
    // What a crash left is not always readable before it is recovered.
  } finally {
    closeQuietly(database);
  }
}

/** Returns the format of a file, which is 0 for an empty one. */
function checkFormat(database: DatabaseSync, path: string): number {
  const { kind, version } = formatOf(database);
  if (kind === "another-program's") {
    throw foreignFile(path);
  }
  if (kind === "ours" && version > formatVersion) {
    throw newerFile(path, version);
  }
  return kind === "ours" ? version : 0;
}

function prepareFile(database: DatabaseSync, path: string): void {
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  // Locks the file, and looks at it before anything is written.
  database.exec("BEGIN EXCLUSIVE");
  const version = checkFormat(database, path);
  if (version > 0) {
    checkPages(database, path);
  }
  migrate(database, version, Date.now());
  database.exec("COMMIT");
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA journal_size_limit = 67108864;
  `);
}

/** Finds damage before the catalog is served, instead of at a later write. */
function checkPages(database: DatabaseSync, path: string): void {
  const [problem] = database.prepare("PRAGMA quick_check(1)").all();
  const text = String(problem?.["quick_check"] ?? "ok");
  if (text !== "ok") {
    // The first line names the database.
    throw damagedFile(path, text.split("\n").at(-1) ?? "");
  }
}

function createDatabase(database: DatabaseSync, path: string, limits: HistoryLimits): Database {
  const select = (sql: string) => {
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  };
  const put = database.prepare(
    `INSERT INTO objects (kind, fqn, bytes) VALUES (?, ?, ?)
     ON CONFLICT (kind, fqn) DO UPDATE SET bytes = excluded.bytes`,
  );
  const remove = database.prepare("DELETE FROM objects WHERE kind = ? AND fqn = ?");
  const record = database.prepare(
    "INSERT INTO commits (revision, time, weight, record) VALUES (?, ?, ?, ?)",
  );
  const advance = database.prepare("UPDATE catalog SET revision = ?");
  const prune = database.prepare("DELETE FROM commits WHERE revision < ?");

  const bounds = createHistoryBounds(limits);
  for (const row of select(
    "SELECT revision, time, weight FROM commits ORDER BY revision",
  ).iterate()) {
    bounds.add(row as unknown as { revision: bigint; time: bigint; weight: bigint });
  }
  const [row] = select("SELECT incarnation, revision FROM catalog").all();
  if (row === undefined) {
    throw damagedFile(path, "the row of its catalog is missing");
  }
  const { incarnation, revision } = row as unknown as StoredCatalog;
  const guard = createFileGuard([path, `${path}-wal`]);
  guard.check();

  const carryOut = ({ kind, fqn, object }: Change): void => {
    switch (kind) {
      case Kind.PUT_EXTENSION:
        put.run("extension", fqn, object);
        break;
      case Kind.PUT_ATTACHMENTS:
        put.run("attachment-set", fqn, object);
        break;
      case Kind.DELETE_EXTENSION:
        remove.run("extension", fqn);
        break;
      case Kind.DELETE_ATTACHMENTS:
        remove.run("attachment-set", fqn);
        break;
      default:
        throw new TypeError(`the change of ${fqn} has an unknown kind: ${kind}`);
    }
  };

  return {
    catalog: { incarnation, revision, floor: bounds.floor ?? revision + 1n },
    objects: () =>
      inChunks(
        database.prepare("SELECT kind, fqn, bytes FROM objects").iterate(),
        (row) => row as unknown as ObjectRow,
        ({ bytes }) => bytes.byteLength,
      ),
    commits: () =>
      inChunks(
        database
          .prepare("SELECT revision, time, weight, record FROM commits ORDER BY revision")
          .iterate(),
        (row) => ({
          ...(row as unknown as CommitRow),
          revision: BigInt(row["revision"] as number),
        }),
        ({ record }) => record.byteLength,
      ),
    append(commits) {
      database.exec("BEGIN");
      try {
        for (const commit of commits) {
          fromBinary(CommitSchema, commit.record).changes.forEach(carryOut);
          record.run(commit.revision, commit.time, commit.weight, commit.record);
        }
        const last = commits.at(-1);
        if (last !== undefined) {
          advance.run(last.revision);
        }
        const kept = bounds.after(commits);
        if (kept.drops) {
          prune.run(kept.floor);
        }
        guard.check();
        database.exec("COMMIT");
        kept.accept();
      } catch (error) {
        rollBack(database);
        overwriteLog(database);
        throw error;
      }
    },
    close: () => {
      database.close();
    },
  };
}

/** Rows in chunks of about `chunkBytes`. */
function* inChunks<Row>(
  rows: Iterable<Record<string, SQLOutputValue>>,
  read: (row: Record<string, SQLOutputValue>) => Row,
  sizeOf: (row: Row) => number,
): Generator<Row[], void> {
  let [chunk, size]: [Row[], number] = [[], 0];
  for (const each of rows) {
    const row = read(each);
    chunk.push(row);
    size += sizeOf(row);
    if (size >= chunkBytes) {
      yield chunk;
      [chunk, size] = [[], 0];
    }
  }
  if (chunk.length > 0) {
    yield chunk;
  }
}

/** Ends a transaction that has failed, unless SQLite has ended it itself. */
function rollBack(database: DatabaseSync): void {
  if (database.isTransaction) {
    database.exec("ROLLBACK");
  }
}

/**
 * If the sync has failed, all of the transaction may be in the log, and would be carried out after a
 * crash. Another transaction takes its place: this one, or the next that succeeds.
 */
function overwriteLog(database: DatabaseSync): void {
  try {
    // SQLite writes nothing for a change to the same value.
    database.exec(`
      BEGIN;
      UPDATE catalog SET revision = revision + 1;
      UPDATE catalog SET revision = revision - 1;
      COMMIT;
    `);
  } catch {
    // The disk still fails.
    rollBack(database);
  }
}

/** Closes a file that could not be opened as a whole. */
function closeQuietly(database: DatabaseSync | undefined): void {
  if (database?.isOpen === true) {
    database.close();
  }
}
