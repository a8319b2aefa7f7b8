import { styleText } from "node:util";
import type { Shell } from "./shell.ts";

/** What a text means, which decides its colour. */
export type Tone = "good" | "changed" | "quiet" | "bad" | "heading";

const styles = {
  good: "green",
  changed: "yellow",
  quiet: "dim",
  bad: "red",
  heading: "bold",
} as const satisfies Record<Tone, Parameters<typeof styleText>[0]>;

/** Colours a text, where there are colours. */
export function toned({ hasColours }: Shell, tone: Tone, text: string): string {
  return hasColours ? styleText(styles[tone], text, { validateStream: false }) : text;
}

/**
 * Makes text that others wrote fit to show: what would move the cursor, change colours or turn the
 * direction of writing is shown as an escape.
 */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A table with a heading, its columns aligned; the last one is not padded. */
export function formatTable(
  shell: Shell,
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const cells = [heading, ...rows].map((row) => row.map(printable));
  const widths = heading.map((_, column) =>
    cells.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0),
  );
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("   ")
      .trimEnd(),
  );
  const [first = "", ...rest] = lines;
  return [toned(shell, "heading", first), ...rest].map((line) => `${line}\n`).join("");
}
