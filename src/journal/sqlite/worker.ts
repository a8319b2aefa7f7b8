/* What a thread runs; see thread.ts. */
import { parentPort } from "node:worker_threads";
import { openDatabase } from "./database.ts";
import { serveDatabase } from "./thread.ts";

if (parentPort === null) {
  throw new Error("this file is run in a thread");
}
serveDatabase(parentPort, openDatabase);
