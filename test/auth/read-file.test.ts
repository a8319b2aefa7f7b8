import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stampOf } from "../../src/auth/file-watch.ts";
import { readFileBounded } from "../../src/auth/read-file.ts";
import { folderOf } from "../support/cli.ts";

function pipeIn(folder: string): string {
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  return path;
}

test("a file is read to its end, and not past its limit", async () => {
  using folder = folderOf({ short: "", long: "é".repeat(100_000) });
  expect(await readFileBounded(join(folder.path, "short"))).toHaveLength(0);
  const long = join(folder.path, "long");
  expect((await readFileBounded(long)).toString()).toBe("é".repeat(100_000));
  const limits = { maxBytes: 100 * 1024 };
  await expect(readFileBounded(long, limits)).rejects.toThrow("more than 100 KiB");
});

test("a device without an end is read up to the limit", async () => {
  await expect(readFileBounded("/dev/zero")).rejects.toThrow("more than 1024 KiB");
});

test.each([
  ["before it is opened for writing", constants.O_RDONLY],
  ["before anything is written", constants.O_RDWR],
])("a pipe that is read %s is read to its end", async (_when, before) => {
  using folder = folderOf({});
  const path = pipeIn(folder.path);
  const opened = openSync(path, before | constants.O_NONBLOCK);
  const read = readFileBounded(path);
  await stat(path);
  const writer = openSync(path, "a");
  closeSync(opened);
  writeSync(writer, "one\n");
  writeSync(writer, "two\n");
  closeSync(writer);
  expect((await read).toString()).toBe("one\ntwo\n");
});

test("a pipe that nobody writes to is given up", async () => {
  using folder = folderOf({});
  const path = pipeIn(folder.path);
  const read = readFileBounded(path, { silenceMs: 100 });
  await expect(read).rejects.toThrow("it is a pipe, and nothing has come through it for 0.1 s");
});

test("a pipe does not count as changed when it is written", async () => {
  using folder = folderOf({});
  const path = pipeIn(folder.path);
  const stamp = await stampOf([path]);
  const writer = openSync(path, "r+");
  writeSync(writer, "text");
  closeSync(writer);
  expect(await stampOf([path])).toBe(stamp);
});

test("a folder, and what is missing, is an error that says so", async () => {
  using folder = folderOf({});
  await expect(readFileBounded(folder.path)).rejects.toThrow("EISDIR");
  await expect(readFileBounded(join(folder.path, "nothing"))).rejects.toThrow("ENOENT");
});
