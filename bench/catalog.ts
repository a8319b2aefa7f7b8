/*
 * What reads cost when the catalog grows, and what an extension costs in memory.
 *
 * The ratios to the same work in a small catalog say that reads cost what they return, whatever else is
 * stored. `node --expose-gc bench/catalog.ts FOLDER` measures another checkout as well, in turn with this one,
 * each in a process of its own.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { median, print } from "./measure.ts";

const rounds = 7;
const large = 100_000;

async function start(root: string): Promise<ChildProcess> {
  const program = new URL("catalog-process.ts", import.meta.url).pathname;
  const child = fork(program, [root, String(large)], { execArgv: ["--expose-gc"] });
  await once(child, "message");
  return child;
}

async function ask(child: ChildProcess, row: string): Promise<number> {
  child.send(row);
  return ((await once(child, "message")) as [number])[0];
}

const roots = [new URL("..", import.meta.url).pathname, ...process.argv.slice(2, 3)];
const children: ChildProcess[] = [];
for (const root of roots) {
  children.push(await start(root));
}

/** The medians of a row, of each checkout. */
async function measure(row: string): Promise<number[]> {
  const figures: number[][] = children.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, child] of children.entries()) {
      figures[index]?.push(await ask(child, row));
    }
  }
  return figures.map(median);
}

function printRow(name: string, [figure = NaN, other]: number[], digits: number): void {
  const before = other === undefined ? "" : `  (${other.toFixed(digits)} in ${roots[1] ?? ""})`;
  print(name, `${figure.toFixed(digits)}${before}`);
}

print("extensions in the large catalog", large);
printRow("bytes of heap an extension", await measure("heapBytes"), 0);
printRow("creates a second, up to 20,000", await measure("creates"), 0);
for (const [name, row, answer] of [
  ["list of the tenant, all 1,000", "list", "answer"],
  ["list of the tenant, a page of 50", "page", "answerPage"],
  ["get", "get"],
] as const) {
  const ms = await measure(row);
  const smallMs = await measure(`${row}Small`);
  printRow(`${name}: ms in the large catalog`, ms, row === "get" ? 6 : 4);
  printRow(
    `${name}: large to small`,
    ms.map((each, index) => each / (smallMs[index] ?? NaN)),
    2,
  );
  if (answer !== undefined) {
    printRow(`${name}: ms with the encoded answer`, await measure(answer), 4);
  }
}
for (const child of children) {
  child.disconnect();
}
