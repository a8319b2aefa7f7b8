/*
 * The thread that uses the file, since SQLite blocks until the disk has answered.
 *
 * It handles one request after the other. Requests and replies are messages.
 */
import type { MessagePort } from "node:worker_threads";
import { messageOf } from "../../catalog/message-of.ts";
import type { HistoryLimits } from "../../catalog/state/history.ts";
import { UnusableStore } from "../unusable-store.ts";
import type { CommitRow, Database, ObjectRow, StoredCatalog } from "./database.ts";
import { pack, type Packed } from "./packed.ts";
import { describeProblem } from "./problems.ts";

/** A request to the thread. */
export type Request =
  | { readonly kind: "open"; readonly path: string; readonly limits: HistoryLimits }
  | { readonly kind: "next-objects" }
  | { readonly kind: "next-commits" }
  | { readonly kind: "append"; readonly commits: readonly CommitRow[] }
  | { readonly kind: "close" };

/** The reply to each kind of request, unless it fails. */
export interface Replies {
  readonly open: { readonly catalog: StoredCatalog };
  /** Without a chunk when all have been read. */
  readonly "next-objects": { readonly chunk: Packed<ObjectRow, "bytes"> | undefined };
  readonly "next-commits": { readonly chunk: Packed<CommitRow, "record"> | undefined };
  readonly append: Done;
  readonly close: Done;
}

interface Done {
  readonly isDone: true;
}

/** Any answer. */
export type Reply = Replies[keyof Replies] | Failed;

/** The reply to a request that has failed. */
export interface Failed {
  readonly hasFailed: true;
  /** What is wrong, for people. */
  readonly problem: string;
  /** The message of SQLite. */
  readonly detail: string;
  /** Whether the file cannot be used at all. */
  readonly isUnusable: boolean;
}

/** Serves requests that come through a port. */
export function serveDatabase(
  port: MessagePort,
  openDatabase: (path: string, limits: HistoryLimits) => Database,
): void {
  let database: Database | undefined;
  let objects: Iterator<readonly ObjectRow[]> | undefined;
  let commits: Iterator<readonly CommitRow[]> | undefined;

  const opened = (): Database => {
    if (database === undefined) {
      throw new Error("the file is not open");
    }
    return database;
  };
  const answer = (request: Request): Reply => {
    switch (request.kind) {
      case "open":
        database = openDatabase(request.path, request.limits);
        return { catalog: database.catalog };
      case "next-objects": {
        objects ??= opened().objects()[Symbol.iterator]();
        const { value } = objects.next() as { value?: readonly ObjectRow[] };
        return { chunk: value && pack(value, "bytes") };
      }
      case "next-commits": {
        commits ??= opened().commits()[Symbol.iterator]();
        const { value } = commits.next() as { value?: readonly CommitRow[] };
        return { chunk: value && pack(value, "record") };
      }
      case "append":
        opened().append(request.commits);
        return { isDone: true };
      case "close":
        database?.close();
        return { isDone: true };
    }
  };
  port.on("message", (request: Request) => {
    let reply: Reply;
    try {
      reply = answer(request);
    } catch (error) {
      reply = failed(error);
    }
    const chunk = "chunk" in reply ? reply.chunk : undefined;
    port.postMessage(reply, chunk === undefined ? [] : [chunk.bytes.buffer as ArrayBuffer]);
    if (request.kind === "close") {
      // Nothing else keeps the thread alive.
      port.close();
    }
  });
}

function failed(error: unknown): Failed {
  const detail = messageOf(error);
  const isUnusable = error instanceof UnusableStore;
  return {
    hasFailed: true,
    problem: isUnusable ? detail : describeProblem(error),
    detail,
    isUnusable,
  };
}
