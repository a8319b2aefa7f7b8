/* Links between the pages, and to files of the repository, lead somewhere. */
import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { pagePaths, readPage } from "../support/markdown.ts";

const root = new URL("../../", import.meta.url).pathname;
const pages = [...pagePaths(), "bench/README.md"];

describe.each(pages)("%s", (page) => {
  test("has no broken links", () => {
    const links = [...withoutCode(readPage(page)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^[a-z]+:/.test(target));
    expect(links.filter((target) => !leadsSomewhere(page, target))).toEqual([]);
  });
});

test("the README leads to every page", () => {
  const readme = readPage("README.md");
  const others = pages.filter((page) => page.startsWith("docs/"));
  expect(others.filter((page) => !readme.includes(`](${page})`))).toEqual([]);
});

function leadsSomewhere(page: string, target: string): boolean {
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? page : normalize(join(dirname(page), path));
  return (
    existsSync(`${root}${file}`) &&
    (anchor === undefined || (file.endsWith(".md") && anchorsOf(file).includes(anchor)))
  );
}

/** The anchors of the headings of a page, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  const headings = withoutCode(readPage(page)).matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function withoutCode(page: string): string {
  return page.replaceAll(/^```.*?^```$/gms, "").replaceAll(/^ {4}.*$/gm, "");
}
