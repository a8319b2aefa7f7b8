/* The grants files that pages show are such files, and give grants to the tokens beside them. */
import { describe, expect, test } from "vitest";
import type { Claims } from "../../src/auth/claims.ts";
import { parseGrantsFile } from "../../src/auth/grants-file.ts";
import { readPage, tableRows } from "../support/markdown.ts";

/** The grants file of a page, which is an indented block. */
function grantsFileOf(page: string): string {
  const [block = ""] = /^ {4}rules:\n(?: {4}.*\n)+/m.exec(readPage(page)) ?? [];
  return block.replaceAll(/^ {4}/gm, "");
}

test.each(["docs/server.md", "docs/access.md"])("%s has a grants file that can be used", (page) => {
  const file = grantsFileOf(page);
  expect(file).not.toBe("");
  parseGrantsFile(page, file);
});

describe("docs/access.md", () => {
  const rules = parseGrantsFile("docs/access.md", grantsFileOf("docs/access.md"));
  const providers = tableRows(readPage("docs/access.md")).flatMap(
    ([provider = "", , , cell = ""]) => {
      const [, json] = /^`(\{.*\})`$/.exec(cell) ?? [];
      return json === undefined ? [] : [{ provider, claims: JSON.parse(json) as Claims }];
    },
  );

  test("has several providers", () => {
    expect(providers.length).toBeGreaterThanOrEqual(5);
  });

  test.each(providers)("gives grants to tokens of $provider", ({ claims }) => {
    expect(rules.grantsOf({ kind: "token", claims })).not.toEqual([]);
  });
});
