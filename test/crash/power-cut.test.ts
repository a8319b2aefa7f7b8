/*
 * A power cut under load: the disk holds what was synced, and of the rest anything. Every answered write
 * is there, no commit is there by half, and objects and history agree.
 *
 * WASMEXT_CRASH_CUTS is the number of cuts; a server is recorded for each 20 of them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, execPath, kill } from "node:process";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import type { Change } from "../../src/catalog/state/commit.ts";
import { apply, emptyState, type State } from "../../src/catalog/state/state.ts";
import { openCatalog } from "../../src/journal/catalog.ts";
import { createSqliteJournal } from "../../src/journal/sqlite/journal.ts";
import { storedExtensions, storedSets } from "../support/stored.ts";
import { expectSound } from "./follower.ts";
import { acme, type Answered, startLoad } from "./load.ts";
import { cutAt, readRecording, straceArguments, type Unsynced } from "./recording.ts";

const cuts = Number(env["WASMEXT_CRASH_CUTS"] ?? 40);
const cutsOfRecording = 20;
const main = new URL("../../src/main.ts", import.meta.url).pathname;

/** Records a server under load, from an empty folder on. */
async function record(folder: string) {
  const [data, log] = [join(folder, "data"), join(folder, "log")];
  rmSync(data, { recursive: true, force: true });
  const names = ["catalog.db", "catalog.db-wal", "catalog.db-journal"];
  const serve = ["serve", "--port", "0", "--store", `sqlite:${join(data, "catalog.db")}`];
  const mkdir = 'mkdir "$0" && exec strace "$@"';
  const child = spawn(
    "sh",
    ["-c", mkdir, data, ...straceArguments(log, data, names), execPath, main, ...serve],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const readyAt = Date.now();
  const load = startLoad(line.split(" ").at(-1) ?? "");
  await load.reached(1_000);
  const exit = once(child, "exit");
  // The server is the child of strace.
  const pid = child.pid ?? 0;
  kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")), "SIGKILL");
  await Promise.all([exit, load.ended]);
  const calls = readRecording(log);
  return { calls, answered: load.answered, readyAt };
}

/** Checks what a cut has left; returns the number of its commits. */
async function expectRecovered(folder: string, answered: readonly Answered[]): Promise<number> {
  const { reader, journal } = await openCatalog(createSqliteJournal(join(folder, "catalog.db")));
  let state: State = emptyState();
  const [etags, deletions] = [new Set<string>(), new Map<string, number>()];
  for (let revision = 1n; revision <= reader.state.revision; revision++) {
    const commit = reader.history.first(acme, revision);
    expect(commit?.revision).toBe(revision);
    if (commit === undefined) {
      break;
    }
    state = apply(state, commit);
    expectSound(contentOf(state));
    for (const change of commit.changes) {
      const etag = etagOf(change);
      if (etag === undefined) {
        deletions.set(change.fqn, (deletions.get(change.fqn) ?? 0) + 1);
      } else {
        etags.add(etag);
      }
    }
  }
  expect(contentOf(reader.state)).toEqual(contentOf(state));
  const deleted = new Map<string, number>();
  for (const { fqn, etag } of answered) {
    if (etag === undefined) {
      deleted.set(fqn, (deleted.get(fqn) ?? 0) + 1);
    } else {
      expect(etags.has(etag)).toBe(true);
    }
  }
  for (const [fqn, count] of deleted) {
    expect(deletions.get(fqn) ?? 0).toBeGreaterThanOrEqual(count);
  }
  await journal.close();
  return Number(reader.state.revision);
}

function contentOf(state: State) {
  return { extensions: storedExtensions({ state }), attachmentSets: storedSets({ state }) };
}

function etagOf(change: Change): string | undefined {
  switch (change.kind) {
    case "put-extension":
      return change.extension.etag;
    case "put-attachments":
      return change.attachmentSet.etag;
    default:
      return undefined;
  }
}

test(`a SQLite store holds what was answered, over ${cuts} power cuts under load`, async ({
  annotate,
}) => {
  const folder = mkdtempSync(join(tmpdir(), "wasmext-cut-"));
  let [answeredBefore, commits] = [0, 0];
  for (let cut = 0; cut < cuts;) {
    const { calls, answered, readyAt } = await record(folder);
    const end = answered.at(-1)?.at ?? readyAt;
    for (let index = 0; index < cutsOfRecording && cut < cuts; index++, cut++) {
      const at = readyAt + Math.random() * (end - readyAt);
      const unsynced = (["nothing", "any sectors", "any sectors", "everything"] as Unsynced[])[
        index % 4
      ];
      const left = join(folder, `cut-${cut}`);
      cutAt(calls, at, unsynced ?? "nothing", left);
      const before = answered.filter((write) => write.at <= at);
      answeredBefore += before.length;
      commits += await expectRecovered(left, before);
      rmSync(left, { recursive: true });
    }
  }
  await annotate(
    `${answeredBefore} writes had been answered before the cuts; ${commits} commits were there`,
  );
  rmSync(folder, { recursive: true });
});
