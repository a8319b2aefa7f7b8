/*
 * What SQLite's errors mean to people.
 */
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../../catalog/message-of.ts";
import { UnusableStore } from "../unusable-store.ts";
import { FileGone } from "./file-guard.ts";
import { formatVersion } from "./schema.ts";

/** The primary result codes of SQLite that have a text of their own. */
const codes = {
  /** Among others, a table or a column that does not exist. */
  error: 1,
  permission: 3,
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

/** What is wrong with the file or its disk, for a write that could not be stored. */
export function describeProblem(error: unknown): string {
  if (error instanceof FileGone) {
    return "the file of the catalog is gone";
  }
  switch (primaryCode(error)) {
    case codes.full:
      return "the disk of the catalog is full";
    case codes.ioError:
      return "the disk of the catalog has failed";
    case codes.corrupt:
      return "the file of the catalog is damaged";
    case codes.readOnly:
    case codes.permission:
    case codes.cannotOpen:
      return "the file of the catalog cannot be written";
    default:
      return "the database of the catalog has failed";
  }
}

/** Why a file cannot be opened as a catalog. */
export function unusable(path: string, error: unknown): UnusableStore {
  return error instanceof UnusableStore
    ? error
    : new UnusableStore(`${path} ${openProblem(error)}`, { cause: error });
}

function openProblem(error: unknown): string {
  const detail = messageOf(error);
  switch (primaryCode(error)) {
    case codes.busy:
      return "is in use by another server; stop that one, or name another file with --store";
    case codes.full:
      return "cannot be opened, because the disk is full; make room";
    case codes.ioError:
      return `cannot be opened, because the disk fails: ${detail}; check the disk and its free space`;
    case codes.error:
    case codes.corrupt:
      return damaged(detail);
    case codes.notADatabase:
      return "is not a SQLite database; name another file with --store";
    case codes.readOnly:
    case codes.permission:
    case codes.cannotOpen:
      return "cannot be written: the server needs to write the file and its folder";
    default:
      return `cannot be opened: ${detail}; name another file with --store`;
  }
}

/** The file is one of a catalog, and its content cannot be read. */
export function damagedFile(path: string, detail: string): UnusableStore {
  return new UnusableStore(`${path} ${damaged(detail)}`);
}

function damaged(detail: string): string {
  return `is damaged: ${detail}; restore it from a backup, or name another file with --store`;
}

/** The file belongs to another program. */
export function foreignFile(path: string): UnusableStore {
  return new UnusableStore(
    `${path} is a database of another program; name another file with --store`,
  );
}

/** The file was written by a newer wasmext. */
export function newerFile(path: string, version: number): UnusableStore {
  return new UnusableStore(
    `${path} has format ${version}, and this server reads formats up to ${formatVersion}; use a newer wasmext`,
  );
}

/**
 * Raises an UnusableStore if a path cannot be a database, for reasons that SQLite reports as one code.
 */
export function checkPath(path: string): void {
  const file = statSync(path, { throwIfNoEntry: false });
  if (file !== undefined && !file.isFile()) {
    const what = file.isDirectory() ? "a folder" : "not a file";
    throw new UnusableStore(`${path} is ${what}; name a file in --store sqlite:PATH`);
  }
  const folder = dirname(path);
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true) {
    const problem =
      found === undefined ? "does not exist; create it first" : "is not a folder; name another one";
    throw new UnusableStore(`${path} cannot be created: ${folder} ${problem}`);
  }
  // SQLite opens what it may not write for reading, and fails later.
  for (const needed of file === undefined ? [folder] : [folder, path]) {
    try {
      accessSync(needed, constants.W_OK);
    } catch {
      throw new UnusableStore(
        `${path} cannot be written: ${needed} is read-only for this user; the server needs to write the file and its folder`,
      );
    }
  }
}

function primaryCode(error: unknown): number | undefined {
  const { errcode } = error as { readonly errcode?: unknown };
  // An extended code has the primary one in its low byte.
  return typeof errcode === "number" ? errcode & 0xff : undefined;
}
