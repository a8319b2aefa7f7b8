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

/** Commands or a program, and the output that the page shows. */
export interface Snippet extends Block {
  readonly language: "sh" | "ts";
  readonly output: Block;
}

const outputLanguages = ["json", "text", "yaml"];

/**
 * The snippets of a page, in order. Fenced blocks come in pairs: commands (`sh`) or a program (`ts`), and
 * right below it what that prints (`json`, `text` or `yaml`).
 *
 * Raises an Error that names a block that is not one of a pair, which no test would run or compare.
 *
 * @param path - from the root of the repository
 */
export function snippetsOf(path: string): Snippet[] {
  const page = readPage(path);
  const blocks = blocksOf(path, page);
  const snippets: Snippet[] = [];
  for (let index = 0; index < blocks.length; index += 2) {
    const [block, output] = blocks.slice(index, index + 2);
    const language = block?.language;
    if (block === undefined || (language !== "sh" && language !== "ts")) {
      throw new Error(`${path}:${block?.line ?? 0}: a block that is not sh or ts prints nothing`);
    }
    const between = page.slice(block.end, output?.start);
    if (
      output === undefined ||
      between.trim() !== "" ||
      !outputLanguages.includes(output.language)
    ) {
      const wanted = `write what it prints right below, as ${outputLanguages.join(", ")}`;
      throw new Error(`${path}:${block.line}: the block has no output; ${wanted}`);
    }
    snippets.push({ ...block, language, output });
  }
  return snippets;
}

interface PlacedBlock extends Block {
  /** Where it begins and ends in the text of the page. */
  readonly start: number;
  readonly end: number;
}

function blocksOf(path: string, page: string): PlacedBlock[] {
  const blocks = [...page.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? "",
    code: match[2] ?? "",
    line: page.slice(0, match.index).split("\n").length,
    start: match.index,
    end: match.index + match[0].length,
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
