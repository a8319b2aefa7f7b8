/*
 * The format of the file. `application_id` says whose file it is, `user_version` which format it has.
 *
 *   format 1   the catalog and its objects
 *   format 2   the latest commits as well, so that watches go on after a restart
 *
 * A file of an older format is brought to the present one when it is opened, in one transaction. A file of
 * a newer format is refused.
 */
import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

/** Marks a file as a catalog: "wsmx" in ASCII. */
export const applicationId = 0x77736d78;

/**
 * How to get from each format to the next, beginning with an empty file. A step never changes: files of
 * its format are out there.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE catalog (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- Tells catalogs apart. Empty if the file is a copy: it gets a new one when it is opened.
    incarnation TEXT NOT NULL,
    -- In ms since 1970.
    created INTEGER NOT NULL,
    -- The revision of the last commit.
    revision INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE objects (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('extension', 'attachment-set')),
    -- Of an attachment set, its target's.
    fqn TEXT NOT NULL,
    -- The encoded message.
    bytes BLOB NOT NULL,
    UNIQUE (kind, fqn)
  ) STRICT;
  `,
  `
  CREATE TABLE commits (
    revision INTEGER PRIMARY KEY,
    -- In ms since 1970.
    time INTEGER NOT NULL,
    -- Its size in memory, in bytes.
    weight INTEGER NOT NULL,
    -- An encoded wasmext.stored.v1.Commit.
    record BLOB NOT NULL
  ) STRICT;
  `,
];

/** The present format. */
export const formatVersion = migrations.length;

/** What kind of file a database is. */
export type FileKind = "ours" | "empty" | "another-program's";

/** Tells whose a file is, and which format it has. */
export function formatOf(database: DatabaseSync): { kind: FileKind; version: number } {
  const version = pragma(database, "user_version");
  if (pragma(database, "application_id") === applicationId) {
    return { kind: "ours", version };
  }
  const tables = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get();
  return { kind: tables?.["tables"] === 0 ? "empty" : "another-program's", version };
}

/** Brings a file to a format, within a transaction of the caller. */
export function migrate(database: DatabaseSync, version: number, now: number): void {
  for (const step of migrations.slice(version)) {
    database.exec(step);
  }
  if (version === 0) {
    database
      .prepare("INSERT INTO catalog (id, incarnation, created, revision) VALUES (1, '', ?, 0)")
      .run(now);
  }
  database.prepare("UPDATE catalog SET incarnation = ? WHERE incarnation = ''").run(randomUUID());
  database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatVersion}`);
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}
