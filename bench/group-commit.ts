/*
 * Commits a second of many writers, to one sync for each commit: on the disk of the folder for temporary files,
 * and with syncs that take 2 ms more, as those of many disks do. The latter needs strace.
 *
 * Usage: node bench/group-commit.ts [commits of one writer] [commits of many]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, env, execPath } from "node:process";
import { fill, oneByOne, writers } from "./commits.ts";
import { median, print } from "./measure.ts";

const [alone = 1_000, together = 10_000] = argv.slice(2).map(Number);
const addedMs = 2;

/* Both in turns, since the speed of a disk changes. */
const folder = mkdtempSync(join(tmpdir(), "wasmext-commits-"));
const ratios: number[] = [];
const grouped = join(folder, "grouped.db");
for (let round = 0; round < 5; round++) {
  const single = oneByOne(join(folder, "one-by-one.db"), alone);
  const many = await fill(grouped, round * together, (round + 1) * together);
  ratios.push(many / single);
  print(`round ${round}: one sync a commit, commits a second`, single.toFixed(0));
  print(`round ${round}: ${writers} writers, commits a second`, many.toFixed(0));
}
print(`commits a second of ${writers} writers to one sync a commit`, median(ratios).toFixed(1));
rmSync(folder, { recursive: true });

if (env["WASMEXT_SLOW_SYNCS"] === undefined) {
  print(`with syncs that take ${addedMs} ms more`, "");
  const syncs = "fsync,fdatasync";
  const slow = ["-e", `trace=${syncs}`, "-e", `inject=${syncs}:delay_exit=${addedMs * 1000}`];
  const { error } = spawnSync(
    "strace",
    [
      "-f",
      "--seccomp-bpf",
      "-o",
      "/dev/null",
      ...slow,
      execPath,
      ...argv.slice(1, 2),
      "200",
      "5000",
    ],
    { stdio: "inherit", env: { ...env, WASMEXT_SLOW_SYNCS: "1" } },
  );
  if (error !== undefined) {
    print("not measured", error.message);
  }
}
