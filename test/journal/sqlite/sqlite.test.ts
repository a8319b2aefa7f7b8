import { cpSync, renameSync } from "node:fs";
import { expect, test } from "vitest";
import { openCatalog } from "../../../src/journal/catalog.ts";
import { acme, createAcme, ext } from "../../support/acme.ts";
import { describeJournal } from "../describe-journal.ts";
import { createFileMedium } from "./medium.ts";

describeJournal("SQLite", () => Promise.resolve(createFileMedium()));

test("when its thread is gone, writes are refused, reads go on, and the server is not ready", async () => {
  await using medium = createFileMedium();
  const problems: (string | undefined)[] = [];
  const journal = medium.createJournal({ onProblem: (problem) => problems.push(problem) });
  const catalog = await openCatalog(journal);
  const { put, extensions } = createAcme({ catalog });
  await put("a");
  expect(journal.readiness.isReady).toBe(true);
  medium.endThread();
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(put("b")).rejects.toThrow(/could not be stored: .*restart the server/);
  }
  expect(journal.readiness.isReady).toBe(false);
  expect((await extensions.listWasmExtension({ parent: acme })).extensions).toHaveLength(1);
  expect(problems).toHaveLength(1);
  await journal.close();
});

test("says once that commits cannot be stored, and once that they can be again", async () => {
  await using medium = createFileMedium();
  const problems: (string | undefined)[] = [];
  const journal = medium.createJournal({ onProblem: (problem) => problems.push(problem) });
  const { put } = createAcme({ catalog: await openCatalog(journal) });
  await put("a");
  medium.failNextCommit(3);
  for (let attempt = 0; attempt < 3; attempt++) {
    await expect(put("b")).rejects.toThrow(/could not be stored/);
  }
  await put("b");
  await put("c");
  expect(problems).toEqual([expect.stringMatching(/UNIQUE/), undefined]);
  await journal.close();
});

test.each([
  ["the file", ""],
  ["its log", "-wal"],
])("when %s is moved away or replaced, writes are refused until it is back", async (_what, end) => {
  await using medium = createFileMedium();
  const problems: (string | undefined)[] = [];
  const catalog = await openCatalog(
    medium.createJournal({ onProblem: (problem) => problems.push(problem) }),
  );
  const { put } = createAcme({ catalog });
  await put("a");
  const path = `${medium.path}${end}`;
  renameSync(path, `${path}.moved`);
  await expect(put("b")).rejects.toThrow("the file of the catalog is gone");
  expect(problems).toEqual([expect.stringContaining(`${path} has been removed; put it back`)]);
  cpSync(`${path}.moved`, path);
  await expect(put("b")).rejects.toThrow("the file of the catalog is gone");
  renameSync(`${path}.moved`, path);
  await put("c");
  await catalog.journal.close();

  const again = await openCatalog(medium.createJournal());
  const { extensions } = await createAcme({ catalog: again }).extensions.listWasmExtension({
    parent: acme,
  });
  expect(extensions.map(({ fqn }) => fqn)).toEqual([ext("a"), ext("c")]);
  await again.journal.close();
});
