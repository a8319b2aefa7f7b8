import { execFileSync } from "node:child_process";
import { appendFileSync, createReadStream, readFileSync, renameSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openLineFile } from "../../src/audit-log/line-file.ts";
import { folderOf } from "../support/cli.ts";

const numbers = Array.from({ length: 500 }, (_, index) => String(index));

describe("a file of lines", () => {
  test.each([true, false])("keeps lines of many at once in order, flushed: %s", async (isSync) => {
    using folder = folderOf({});
    const path = `${folder.path}/lines`;
    const file = await openLineFile({ path, isSync });
    await Promise.all(numbers.map((line) => file.append(line)));
    expect(readFileSync(path, "utf8")).toBe(numbers.map((line) => `${line}\n`).join(""));
    expect(file.unwrittenBytes).toBe(0);
    await file.close();
  });

  test("is for its owner alone, and is appended to when it is opened again", async () => {
    using folder = folderOf({});
    const path = `${folder.path}/lines`;
    for (const line of ["first", "second"]) {
      const file = await openLineFile({ path, isSync: true });
      await file.append(line);
      await file.close();
    }
    expect(readFileSync(path, "utf8")).toBe("first\nsecond\n");
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("goes on in a new file when the old one has been moved away", async () => {
    using folder = folderOf({});
    const path = `${folder.path}/lines`;
    const file = await openLineFile({ path, isSync: true });
    await file.append("before");
    renameSync(path, `${path}.1`);
    await file.append("after");
    await file.close();
    expect(readFileSync(`${path}.1`, "utf8")).toBe("before\n");
    expect(readFileSync(path, "utf8")).toBe("after\n");
  });

  test("ends a line that was cut off before it goes on", async () => {
    using folder = folderOf({ lines: "whole\ncut o" });
    const path = `${folder.path}/lines`;
    const file = await openLineFile({ path, isSync: false });
    await file.append("next");
    await file.append("last");
    await file.close();
    expect(readFileSync(path, "utf8")).toBe("whole\ncut o\nnext\nlast\n");
  });

  test("keeps what cannot be written, and writes it when that is possible", async () => {
    using folder = folderOf({});
    const path = `${folder.path}/lines`;
    const file = await openLineFile({ path, isSync: true });
    await file.append("before");
    renameSync(folder.path, `${folder.path}.moved`);
    await expect(file.append("during")).rejects.toThrow("ENOENT");
    expect(file.unwrittenBytes).toBe("during\n".length);
    renameSync(`${folder.path}.moved`, folder.path);
    await file.append("after");
    await file.close();
    expect(readFileSync(path, "utf8")).toBe("before\nduring\nafter\n");
  });

  test("shares its file with others that append", async () => {
    using folder = folderOf({});
    const path = `${folder.path}/lines`;
    const file = await openLineFile({ path, isSync: false });
    await file.append("ours");
    appendFileSync(path, "theirs\n");
    await file.append("ours");
    await file.close();
    expect(readFileSync(path, "utf8")).toBe("ours\ntheirs\nours\n");
  });

  test.each([true, false])("gives up a pipe that is full, flushed: %s", async (isSync) => {
    using folder = folderOf({});
    const path = `${folder.path}/pipe`;
    execFileSync("mkfifo", [path]);
    const file = await openLineFile({ path, isSync });
    // A pipe holds 64 KiB, and ends in the middle of a line then.
    const lines = numbers.map((line) => line.padEnd(300, "."));
    const appended = Promise.all(lines.map((line) => file.append(line)));
    await expect(appended).rejects.toThrow("it is a pipe that nobody reads, and it is full");
    expect(file.unwrittenBytes).toBeGreaterThan(lines.length * 301 - 70_000);

    const reader = createReadStream(path, "utf8");
    const text = reader.toArray();
    await file.append("last");
    expect(file.unwrittenBytes).toBe(0);
    await file.close();
    const read = (await text).join("").split("\n");
    // What was cut comes again as a whole, and nothing else does.
    const whole = read.filter((line) => line.length === 300 || line === "last");
    expect(whole).toEqual([...lines, "last"]);
    expect(read.length - whole.length).toBeLessThanOrEqual(2);
  });

  test("rejects when the disk is full", async () => {
    const file = await openLineFile({ path: "/dev/full", isSync: true });
    await expect(file.append("line")).rejects.toThrow("ENOSPC");
    await file.close();
  });
});
