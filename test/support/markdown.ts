/* What tests read of the pages in Markdown. */
import { readdirSync, readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url).pathname;

/** The README and all pages in docs, as paths from the root of the repository. */
export function pagePaths(): string[] {
  const names = readdirSync(`${root}docs`, { recursive: true, encoding: "utf8" });
  const pages = names.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
  return ["README.md", ...pages.toSorted()];
}

/** The text of a page. */
export function readPage(path: string): string {
  return readFileSync(`${root}${path}`, "utf8");
}

/** A fenced block. */
export interface Block {
  readonly language: string;
  readonly code: string;
  /** The line of the page that the block begins in, from 1. */
  readonly line: number;
}

/** A block to run, and the block with its output, if there is one. */
export interface Snippet extends Block {
  readonly language: "sh" | "ts";
  readonly output: Block | undefined;
}

const outputLanguages = ["json", "text", "yaml"];

/**
 * The snippets of a page, in order. A fenced block holds commands (`sh`), a program (`ts`), or the output
 * of the block right above it.
 *
 * Raises an Error that names any other fenced block, which no test would run.
 *
 * @param path - from the root of the repository
 */
export function snippetsOf(path: string): Snippet[] {
  const page = readPage(path);
  const snippets: Snippet[] = [];
  let isOutputNext = false;
  let end = 0;
  for (const { language, code, line, start, length } of blocksOf(path, page)) {
    const isAdjacent = page.slice(end, start).trim() === "";
    const last = snippets.at(-1);
    end = start + length;
    if (language === "sh" || language === "ts") {
      snippets.push({ language, code, line, output: undefined });
      isOutputNext = true;
    } else if (outputLanguages.includes(language) && isOutputNext && isAdjacent && last) {
      snippets[snippets.length - 1] = { ...last, output: { language, code, line } };
      isOutputNext = false;
    } else {
      const rule = "a fenced block is sh, ts, or json, text or yaml right below what prints it";
      throw new Error(`${path}:${line}: no test runs a block of "${language}" here; ${rule}`);
    }
  }
  return snippets;
}

interface PlacedBlock extends Block {
  readonly start: number;
  readonly length: number;
}

function blocksOf(path: string, page: string): PlacedBlock[] {
  const blocks = [...page.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? "",
    code: match[2] ?? "",
    line: page.slice(0, match.index).split("\n").length,
    start: match.index,
    length: match[0].length,
  }));
  const fences = page.match(/^ *(?:```|~~~)/gm)?.length ?? 0;
  if (fences !== 2 * blocks.length) {
    throw new Error(`${path}: a fenced block is indented, not closed, or fenced with ~~~`);
  }
  return blocks;
}

/** The rows of the tables of a page, below the headings; the text of each cell without its padding. */
export function tableRows(page: string): string[][] {
  return page
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll("\\|", "|")))
    .filter((cells, index, all) => {
      const isRule = (row: readonly string[] | undefined): boolean =>
        row?.every((cell) => /^:?-+:?$/.test(cell)) ?? false;
      return !isRule(cells) && !isRule(all[index + 1]);
    });
}
