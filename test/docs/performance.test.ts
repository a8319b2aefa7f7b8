/* docs/performance.md names the rows of the bench, and has a figure for each. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { rows } from "../../bench/peers/rows.ts";

const page = readFileSync(new URL("../../docs/performance.md", import.meta.url), "utf8");

/** The names in the first column of the table of a section. */
function namesIn(section: string): string[] {
  const text = page.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? "";
  return [...text.matchAll(/^\| `([^`]+)`/gm)].map(([, name = ""]) => name);
}

test("docs/performance.md says what each row of the bench is", () => {
  expect(namesIn("Rows")).toEqual(rows.map(({ id }) => id));
});

test("and has a figure for each", () => {
  expect(namesIn("Figures")).toEqual(rows.map(({ id }) => id));
});
