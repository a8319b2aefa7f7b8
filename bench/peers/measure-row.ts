import { median } from "../measure.ts";
import type { Contender, Measured, Row, Settings } from "./row.ts";
import type { Servers } from "./servers.ts";

/** Measures a row in rounds, each contender in turn; returns its table in Markdown. */
export async function measureRow(row: Row, servers: Servers, settings: Settings): Promise<string> {
  const contenders = await row.open(servers, settings);
  const figures = contenders.map((): Measured[] => []);
  for (let round = 0; round <= settings.rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const measured = await contender.measure(round);
      // The first round warms up.
      if (round > 0) {
        figures[index]?.push(measured);
      }
    }
  }
  return table(row, contenders, figures);
}

function table(
  row: Row,
  contenders: readonly Contender[],
  measured: readonly (readonly Measured[])[],
): string {
  const reference = measured[contenders.findIndex(({ name }) => name === row.reference)] ?? [];
  const cells = contenders.map(({ name }, index) => {
    const of = measured[index] ?? [];
    const compare = (figureOf: (one: Measured) => number): string =>
      format(
        median(
          of.map((one, round) => {
            const other = reference[round];
            const [figure, otherFigure] = [figureOf(one), other ? figureOf(other) : NaN];
            return row.comparedBy === "ratio" ? figure / otherFigure : figure - otherFigure;
          }),
        ),
      );
    const isReference = name === row.reference;
    return {
      [row.id]: name,
      [row.unit]: format(median(of.map(({ figure }) => figure))),
      [`${row.comparedBy === "ratio" ? "to" : "beyond"} ${row.reference}`]: isReference
        ? ""
        : compare(({ figure }) => figure),
      ...(of[0]?.cpuMicroseconds !== undefined && {
        "µs of processor each": format(median(of.map(microseconds))),
        ratio: isReference ? "" : compare(microseconds),
      }),
      aim: /^wasmext($|, with)/.test(name) ? row.aim : "",
    };
  });
  const heads = Object.keys(cells[0] ?? {});
  const rows = cells.map((of) => Object.values(of));
  return [`${row.id}: ${row.title}`, "", ...markdown([heads, ...rows]), ""].join("\n");
}

const microseconds = ({ cpuMicroseconds = NaN }: Measured): number => cpuMicroseconds;

/** A figure with three digits that mean something. */
function format(figure: number): string {
  return figure >= 100
    ? Math.round(figure).toLocaleString("en-US")
    : String(Number(figure.toPrecision(3)));
}

function markdown(rows: readonly string[][]): string[] {
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths?.[column] ?? 0)).join(" | ")} |`;
  const rule = (widths ?? []).map((width) => "-".repeat(width));
  const [heads = [], ...rest] = rows;
  return [line(heads), line(rule), ...rest.map(line)];
}
