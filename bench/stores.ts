/*
 * What a durable store costs: the time from start to ready with a full catalog, to an empty start; and the memory
 * of such a server. See group-commit.ts for commits.
 *
 * `node bench/stores.ts COUNT` fills the catalog with another number of extensions than 100,000.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv } from "node:process";
import { fill } from "./commits.ts";
import { median, print } from "./measure.ts";
import { startServerProcess } from "./server-process.ts";

const count = Number(argv[2] ?? 100_000);
const folder = mkdtempSync(join(tmpdir(), "wasmext-stores-"));

const full = join(folder, "full.db");
await fill(full, 0, count);
print("extensions in the full catalog", count);
print("MiB of its file", (statSync(full).size / 2 ** 20).toFixed(0));

async function startMs(store: string): Promise<{ ms: number; megabytes: number }> {
  const startedAt = performance.now();
  const server = await startServerProcess(undefined, [], ["--store", store]);
  const ms = performance.now() - startedAt;
  const megabytes = server.residentMegabytes();
  await server.stop();
  return { ms, megabytes };
}

const starts = { memory: [] as number[], empty: [] as number[], full: [] as number[] };
let megabytes = 0;
for (let round = 0; round < 3; round++) {
  starts.memory.push((await startMs("memory")).ms);
  starts.empty.push((await startMs(`sqlite:${join(folder, `empty-${round}.db`)}`)).ms);
  const started = await startMs(`sqlite:${full}`);
  starts.full.push(started.ms);
  ({ megabytes } = started);
}
print("start to ready: ms, in memory", median(starts.memory).toFixed(0));
print("start to ready: ms, an empty file", median(starts.empty).toFixed(0));
print("start to ready: ms, the full catalog", median(starts.full).toFixed(0));
print(
  "start to ready: s more than in memory",
  ((median(starts.full) - median(starts.memory)) / 1000).toFixed(2),
);
print("resident memory of the full catalog: MB", megabytes.toFixed(0));
rmSync(folder, { recursive: true });
