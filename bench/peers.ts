/*
 * Wasmext against the servers that it is built on, and others: each in a process of its own, loaded in turn,
 * in rounds, so that the ratios hold while the speed of the machine does not. docs/performance.md says what
 * each row is.
 *
 * `npm run bench:peers -- get list --rounds 3 --seconds 1` measures some rows alone, and less of them.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { missingH2load } from "./peers/h2load.ts";
import { measureRow } from "./peers/measure-row.ts";
import { rows } from "./peers/rows.ts";
import { openServers } from "./peers/servers.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
  },
});
const settings = { rounds: Number(values.rounds), seconds: Number(values.seconds) };
const isAsked = (id: string): boolean =>
  positionals.length === 0 || positionals.some((word) => id === word || id.startsWith(`${word}-`));
const unknown = positionals.filter(
  (word) => !rows.some(({ id }) => `${id}-`.startsWith(`${word}-`)),
);
if (unknown.length > 0 || !(settings.rounds >= 1) || !(settings.seconds >= 1)) {
  const names = rows.map(({ id }) => id).join(", ");
  process.stderr.write(
    `error: usage: npm run bench:peers -- [ROW...] [--rounds N] [--seconds N]; rows are ${names}\n`,
  );
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "wasmext-peers-"));
const missing = await missingH2load();
const servers = await openServers(folder);
for (const row of rows.filter(({ id }) => isAsked(id))) {
  try {
    if (row.needsH2load === true && missing !== undefined) {
      throw new Error(missing);
    }
    process.stdout.write(`${await measureRow(row, servers, settings)}\n`);
  } catch (error) {
    process.stdout.write(
      `${row.id}: ${row.title}\n\nnot measured: ${(error as Error).message}\n\n`,
    );
    process.exitCode = 1;
  } finally {
    await servers.stop();
  }
}
rmSync(folder, { recursive: true });
process.exit();
