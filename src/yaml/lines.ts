import type { Position } from "./diagnostic.ts";

/** A byte order mark. One that begins a line has no width. */
export const byteOrderMark = "\ufeff";

/** Makes a function that tells the line and the column of an offset into a text. */
export function createLocator(file: string, text: string): (offset: number) => Position {
  let starts: readonly number[] | undefined;
  return (offset) => {
    starts ??= lineStarts(text);
    const line = countUpTo(starts, offset);
    const start = starts[line - 1] ?? 0;
    const mark = text.startsWith(byteOrderMark, start) && offset > start ? 1 : 0;
    return { file, line, column: offset - start - mark + 1 };
  };
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", end + 1)) {
    starts.push(end + 1);
  }
  return starts;
}

/** The number of ascending numbers that are at most `offset`. */
function countUpTo(numbers: readonly number[], offset: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] ?? 0) <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
