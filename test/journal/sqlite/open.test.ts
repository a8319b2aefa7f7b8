/* What is found at the path of a file, and what is said of it; the file stays as it is. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { openCatalog } from "../../../src/journal/catalog.ts";
import { formatVersion } from "../../../src/journal/sqlite/schema.ts";
import { acme, createAcme, ext } from "../../support/acme.ts";
import { createFileMedium, type FileMedium } from "./medium.ts";

/** Fills a file with extensions, and returns their names. */
async function fill(medium: FileMedium, count: number): Promise<string[]> {
  const catalog = await openCatalog(medium.createJournal());
  const { put } = createAcme({ catalog });
  const names = Array.from({ length: count }, (_, index) => ext(`e${index}`));
  for (let index = 0; index < count; index++) {
    await put(`e${index}`, { description: "x".repeat(500) });
  }
  await catalog.journal.close();
  return names;
}

function edit(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

/** Why a file cannot be opened. */
async function refusalOf(medium: FileMedium): Promise<string> {
  const error: unknown = await openCatalog(medium.createJournal()).then(
    async ({ journal }) => {
      await journal.close();
    },
    (raised: unknown) => raised,
  );
  expect(error).toMatchObject({ name: "UnusableStore" });
  const { message } = error as Error;
  expect(message).toContain(medium.path);
  expect(message).not.toContain("\n");
  return message;
}

/** Opening a file is refused, and changes neither it nor its folder. */
async function expectRefusal(medium: FileMedium, problem: RegExp): Promise<void> {
  const folder = dirname(medium.path);
  const before = contentsOf(folder);
  expect(await refusalOf(medium)).toMatch(problem);
  expect(contentsOf(folder)).toEqual(before);
}

function contentsOf(folder: string): Map<string, string> {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map(({ name }) => [name, readFileSync(join(folder, name), "base64")] as const),
  );
}

describe("a file that is no catalog is refused and stays as it is", () => {
  test("a text", async () => {
    await using medium = createFileMedium();
    writeFileSync(medium.path, "not a database\n".repeat(1_000));
    await expectRefusal(medium, /is not a SQLite database; name another file with --store/);
  });

  test("a database of another program, with or without an application id", async () => {
    for (const id of [0, 0x47504b47]) {
      await using medium = createFileMedium();
      edit(
        medium.path,
        `CREATE TABLE t (x); PRAGMA application_id = ${id}; PRAGMA user_version = 1`,
      );
      await expectRefusal(medium, /a database of another program; name another file/);
    }
  });

  test("a database of another program that writes to it right now", async () => {
    await using medium = createFileMedium();
    const other = new DatabaseSync(medium.path);
    other.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    await refusalOf(medium);
    expect(other.prepare("SELECT x FROM t").all()).toHaveLength(1);
    other.exec("INSERT INTO t VALUES (2)");
    other.close();
  });

  test("a catalog of a newer format", async () => {
    await using medium = createFileMedium();
    await fill(medium, 1);
    edit(medium.path, `PRAGMA user_version = ${formatVersion + 1}`);
    await expectRefusal(
      medium,
      new RegExp(`has format ${formatVersion + 1}, .* up to ${formatVersion}; use a newer wasmext`),
    );
  });

  test("a folder", async () => {
    await using medium = createFileMedium();
    mkdirSync(medium.path);
    await expectRefusal(medium, /is a folder; name a file/);
  });

  test("a file in a folder that does not exist", async () => {
    await using medium = createFileMedium({ name: "none/catalog.db" });
    expect(await refusalOf(medium)).toMatch(
      /cannot be created: .*none does not exist; create it first/,
    );
    expect(existsSync(dirname(medium.path))).toBe(false);
  });

  test("a file in a file", async () => {
    await using medium = createFileMedium({ name: "file/catalog.db" });
    writeFileSync(dirname(medium.path), "");
    expect(await refusalOf(medium)).toMatch(/cannot be created: .*file is not a folder/);
  });

  test("a path that cannot be looked at", async () => {
    await using medium = createFileMedium();
    symlinkSync(medium.path, medium.path);
    expect(await refusalOf(medium)).toMatch(/cannot be opened: ELOOP: .*; name another file/);
    await using long = createFileMedium({ name: "x".repeat(300) });
    expect(await refusalOf(long)).toMatch(/cannot be opened: ENAMETOOLONG: .*; name another file/);
  });
});

describe("a damaged file is refused and stays as it is", () => {
  test("pages that are overwritten", async () => {
    await using medium = createFileMedium();
    await fill(medium, 200);
    const bytes = readFileSync(medium.path);
    bytes.fill(0xa5, 4096 * 3, 4096 * 6);
    writeFileSync(medium.path, bytes);
    await expectRefusal(medium, /is damaged: .*; restore it from a backup/);
  });

  test("an end that is missing", async () => {
    await using medium = createFileMedium();
    await fill(medium, 200);
    truncateSync(medium.path, 4096 * 5);
    await expectRefusal(medium, /is damaged: /);
  });

  test("objects and commits that are none", async () => {
    for (const sql of [
      `UPDATE objects SET bytes = x'ffffff' WHERE fqn = '${ext("e1")}'`,
      "UPDATE commits SET record = x'ffffff' WHERE revision = 2",
      "DELETE FROM catalog",
      "DROP TABLE objects",
    ]) {
      await using medium = createFileMedium();
      await fill(medium, 3);
      edit(medium.path, sql);
      expect(await refusalOf(medium)).toMatch(/is damaged: .*; restore it from a backup/);
    }
  });
});

test("a second journal on a file is refused, and the first goes on", async () => {
  await using medium = createFileMedium();
  const catalog = await openCatalog(medium.createJournal());
  const { put, reader } = createAcme({ catalog });
  await put("a");
  expect(await refusalOf(medium)).toMatch(/is in use by another server; stop that one/);
  await put("b");
  expect(reader.state.organizations.get(acme)?.extensions.size).toBe(2);
  await catalog.journal.close();
  // The lock has gone with the first one.
  const next = await openCatalog(medium.createJournal());
  expect(next.reader.state.revision).toBe(2n);
  await next.journal.close();
});

test("an empty file becomes a catalog", async () => {
  await using medium = createFileMedium();
  writeFileSync(medium.path, "");
  expect(await fill(medium, 1)).toHaveLength(1);
});

test("a file with characters that mean something in URIs is that file", async () => {
  await using medium = createFileMedium({ name: "a?mode=memory#%41.db" });
  await fill(medium, 1);
  expect(existsSync(medium.path)).toBe(true);
  const { reader, journal } = await openCatalog(medium.createJournal());
  expect(reader.state.revision).toBe(1n);
  await journal.close();
});

test("a file that has been closed is one file: no log is left beside it", async () => {
  await using medium = createFileMedium();
  await fill(medium, 3);
  expect(readdirSync(dirname(medium.path))).toEqual(["catalog.db"]);
});

test("a copy whose incarnation was emptied is another catalog", async () => {
  await using medium = createFileMedium();
  await fill(medium, 1);
  const incarnationOf = async (): Promise<string> => {
    const { reader, journal } = await openCatalog(medium.createJournal());
    await journal.close();
    return reader.incarnation;
  };
  const first = await incarnationOf();
  expect(await incarnationOf()).toBe(first);
  edit(medium.path, "UPDATE catalog SET incarnation = ''");
  const second = await incarnationOf();
  expect(second).toMatch(/^[0-9a-f-]{36}$/);
  expect(second).not.toBe(first);
  expect(await incarnationOf()).toBe(second);
});
