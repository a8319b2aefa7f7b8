/*
 * What a durable store costs: commits a second with many writers, to one sync for each commit; the time
 * from start to ready with a full catalog, to an empty start; and the memory of such a server.
 *
 * `node bench/stores.ts COUNT` fills the catalog with another number of extensions than 100,000.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv } from "node:process";
import { DatabaseSync } from "node:sqlite";
import { create } from "@bufbuild/protobuf";
import type { WasmExtension_PluginPhase as Phase } from "../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { CreateWasmExtensionRequestSchema } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { createExtension } from "../src/catalog/writes/extension-writes.ts";
import { openCatalog } from "../src/journal/catalog.ts";
import { createSqliteJournal } from "../src/journal/sqlite/journal.ts";
import { median, print } from "./measure.ts";
import { startServerProcess } from "./server-process.ts";

const count = Number(argv[2] ?? 100_000);
const writers = 64;
const parent = "organizations/acme";
const folder = mkdtempSync(join(tmpdir(), "wasmext-stores-"));

const creation = (index: number) =>
  createExtension(
    create(CreateWasmExtensionRequestSchema, {
      parent,
      name: `e${index}`,
      wasmExtension: {
        url: `oci://ghcr.io/acme/e${index}:1.0`,
        priority: (index * 7919) % 2000,
        phase: (index % 4) as Phase,
        allowedIn: [`${parent}/tenants/t${index % 100}`],
        config: { threshold: index },
      },
    }),
  );

/** Writes extensions, each writer one after the other; returns commits a second. */
async function fill(path: string, from: number, to: number): Promise<number> {
  const { journal } = await openCatalog(createSqliteJournal(path));
  const startedAt = performance.now();
  let next = from;
  const writer = async (): Promise<void> => {
    while (next < to) {
      await journal.write(creation(next++));
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  const seconds = (performance.now() - startedAt) / 1000;
  await journal.close();
  return (to - from) / seconds;
}

/** A row as large as a commit and its object, and a sync, for each commit; returns commits a second. */
function oneByOne(commits: number): number {
  const path = join(folder, "one-by-one.db");
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE rows (bytes BLOB NOT NULL) STRICT;
  `);
  const insert = database.prepare("INSERT INTO rows (bytes) VALUES (?)");
  const bytes = new Uint8Array(500);
  const startedAt = performance.now();
  for (let commit = 0; commit < commits; commit++) {
    insert.run(bytes);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  database.close();
  rmSync(path);
  return commits / seconds;
}

/* Both in turns, since the speed of a disk changes. */
const ratios: number[] = [];
const grouped = join(folder, "grouped.db");
for (let round = 0; round < 5; round++) {
  const alone = oneByOne(1_000);
  const together = await fill(grouped, round * 10_000, (round + 1) * 10_000);
  ratios.push(together / alone);
  print(`round ${round}: one sync a commit, commits a second`, alone.toFixed(0));
  print(`round ${round}: ${writers} writers, commits a second`, together.toFixed(0));
}
print(`commits a second of ${writers} writers to one sync a commit`, median(ratios).toFixed(1));

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
