/*
 * A server that is killed at any moment while many write: every answered write is there, no commit is
 * there by half, the revision never goes back, and a watch that resumes misses nothing.
 *
 * WASMEXT_CRASH_ROUNDS is the number of rounds.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { expect, test } from "vitest";
import { startProcess } from "../support/process.ts";
import { createFollower, expectSound, presentOf } from "./follower.ts";
import { type Answered, startLoad } from "./load.ts";

const rounds = Number(env["WASMEXT_CRASH_ROUNDS"] ?? 20);

test(`a SQLite store holds what was answered, over ${rounds} kills under load`, async ({
  annotate,
}) => {
  const folder = mkdtempSync(join(tmpdir(), "wasmext-kill-"));
  const store = `sqlite:${join(folder, "catalog.db")}`;
  const follower = createFollower();
  const answered: Answered[] = [];
  let unanswered = 0;
  for (let round = 0; round <= rounds; round++) {
    const server = startProcess(["serve", "--port", "0", "--store", store, "--log-level", "error"]);
    const url = (await server.firstLine).split(" ").at(-1) ?? "";
    const { revision, replica } = await presentOf(url);
    expect(revision).toBeGreaterThanOrEqual(follower.revision);
    expectSound(replica);
    const before = follower.revision;
    const followed = follower.follow(url);
    await follower.reached(revision);
    unanswered += Number(revision - before);
    expect(follower.replica).toEqual(replica);
    follower.expectSeen(answered.splice(0));
    if (round === rounds) {
      server.child.kill("SIGTERM");
      expect(await server.ended).toMatchObject({ exitCode: 0, stderr: "" });
      break;
    }
    const load = startLoad(url);
    await load.reached(1 + Math.floor(Math.random() * 300));
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    server.child.kill("SIGKILL");
    await Promise.all([server.ended, load.ended, followed]);
    answered.push(...load.answered);
  }
  await annotate(`${follower.revision} commits; ${unanswered} of them seen after a kill only`);
  rmSync(folder, { recursive: true });
});
