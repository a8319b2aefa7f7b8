/* docs/envoy.md has all figures of the bench. */
import { expect, test } from "vitest";
import { figures } from "../../bench/envoy/figures.ts";
import { readPage, tableRows } from "../support/markdown.ts";

test("docs/envoy.md has each figure that the bench prints", () => {
  const [, section = ""] = readPage("docs/envoy.md").split("\n## Figures\n");
  const rows = tableRows(section);
  expect(rows.map(([name]) => name)).toEqual(Object.values(figures));
  expect(rows.filter(([, ...values]) => values.every((value) => value === ""))).toEqual([]);
});
