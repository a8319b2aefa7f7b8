/* Commits to SQLite: by many writers at once, and with a sync for each. */
import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { create } from "@bufbuild/protobuf";
import type { WasmExtension_PluginPhase as Phase } from "../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { CreateWasmExtensionRequestSchema } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { createExtension } from "../src/catalog/writes/extension-writes.ts";
import { openCatalog } from "../src/journal/catalog.ts";
import { createSqliteJournal } from "../src/journal/sqlite/journal.ts";

/** How many write at once. */
export const writers = 64;

const parent = "organizations/acme";

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
export async function fill(path: string, from: number, to: number): Promise<number> {
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
export function oneByOne(path: string, commits: number): number {
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
