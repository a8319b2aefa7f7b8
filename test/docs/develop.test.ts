/* docs/develop.md names the scripts and the folders that there are. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readPage, tableRows } from "../support/markdown.ts";

const root = new URL("../../", import.meta.url).pathname;
const rows = tableRows(readPage("docs/develop.md"));

test("docs/develop.md has all test scripts, and no script that there is not", () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
    scripts: Record<string, string>;
  };
  const documented = rows.flatMap(([cell = ""]) => {
    const [, name = ""] = /^`npm (?:run )?([\w:]+)`$/.exec(cell) ?? [];
    return name === "" ? [] : [name];
  });
  const tests = Object.keys(scripts).filter((name) => name.startsWith("test"));
  expect(documented).toEqual(expect.arrayContaining(tests));
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(documented));
});

test("docs/develop.md has all folders of src", () => {
  const folders = readdirSync(`${root}src`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `[\`src/${name}\`](../src/${name})`);
  expect(rows.map(([cell]) => cell)).toEqual(expect.arrayContaining(folders));
});
