/*
 * The thread of a file, whose commits fail when the test says so: as many as the shared number. If that is
 * negative, the thread ends.
 */
import { exit } from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { openDatabase } from "../../../src/journal/sqlite/database.ts";
import { serveDatabase } from "../../../src/journal/sqlite/thread.ts";

const failures = workerData as Int32Array;

if (parentPort !== null) {
  serveDatabase(parentPort, (path, limits) => {
    const database = openDatabase(path, limits);
    return {
      ...database,
      append(commits) {
        if (Atomics.load(failures, 0) < 0) {
          exit(3);
        }
        if (Atomics.load(failures, 0) > 0) {
          Atomics.sub(failures, 0, 1);
          // A revision that is already taken, after the others.
          database.append([...commits, ...commits.slice(-1)]);
        }
        database.append(commits);
      },
    };
  });
}
