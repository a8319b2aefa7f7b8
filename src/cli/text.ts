import { styleText } from "node:util";
import { escaped } from "../yaml/escape.ts";
import type { Shell } from "./shell.ts";

/** The meaning of a text, which decides its colour. */
export type Tone = "good" | "changed" | "quiet" | "bad" | "heading";

const styles = {
  good: "green",
  changed: "yellow",
  quiet: "dim",
  bad: "red",
  heading: "bold",
} as const satisfies Record<Tone, Parameters<typeof styleText>[0]>;

/** Colours a text for standard output, where that has colours. */
export function toned({ hasColours }: Shell, tone: Tone, text: string): string {
  return hasColours ? styled(tone, text) : text;
}

/** Says on standard error what went wrong, one problem a line. */
export function complain(shell: Shell, lines: readonly string[]): void {
  const label = shell.hasErrorColours ? styled("bad", "error:") : "error:";
  for (const line of lines) {
    shell.say(`${label} ${printable(line)}`);
  }
}

function styled(tone: Tone, text: string): string {
  return styleText(styles[tone], text, { validateStream: false });
}

/**
 * Makes foreign text safe for a terminal: characters that move the cursor, change colours or reverse the
 * direction of text become escapes.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, escaped);
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
