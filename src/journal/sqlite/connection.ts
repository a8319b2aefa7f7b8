import type { Worker } from "node:worker_threads";
import { messageOf } from "../../catalog/message-of.ts";
import type { HistoryLimits } from "../../catalog/state/history.ts";
import { UnusableStore } from "../unusable-store.ts";
import type { CommitRow, ObjectRow, StoredCatalog } from "./database.ts";
import { unpack } from "./packed.ts";
import type { Failed, Replies, Reply, Request } from "./thread.ts";

/** A file that is open in a thread of its own. */
export interface Connection {
  readonly catalog: StoredCatalog;
  /** All objects, in chunks. */
  objects(): AsyncIterable<Iterable<ObjectRow>>;
  /** The history, oldest first, in chunks. */
  commits(): AsyncIterable<Iterable<CommitRow>>;
  /** Stores commits. Rejects with a FailedCommit if that fails; the file is as before then. */
  append(commits: readonly CommitRow[]): Promise<void>;
  /** Closes the file, and ends the thread. */
  close(): Promise<void>;
}

/** Is raised if commits could not be stored. */
export class FailedCommit extends Error {
  override readonly name = "FailedCommit";
  /** What is wrong, without the path of the file. */
  readonly problem: string;

  constructor({ problem, detail }: Pick<Failed, "problem" | "detail">) {
    super(`${problem}: ${detail}`);
    this.problem = problem;
  }
}

/** How to open a file. */
export interface ConnectionOptions {
  readonly limits: HistoryLimits;
  /** Starts the thread. */
  readonly startThread: () => Worker;
  /** The thread has ended by itself: no more commits can be stored. */
  readonly onLost: () => void;
}

/** Opens a file. Rejects with an UnusableStore if it cannot be used. */
export async function connect(
  path: string,
  { limits, startThread, onLost }: ConnectionOptions,
): Promise<Connection> {
  const thread = startThread();
  let expected: ((reply: Reply) => void) | undefined;
  let lost: Failed | undefined;
  let isClosed = false;
  const lose = (detail: string): void => {
    lost ??= {
      hasFailed: true,
      problem: "the store has failed, restart the server",
      detail,
      isUnusable: false,
    };
    expected?.(lost);
  };
  thread.on("message", (reply: Reply) => {
    expected?.(reply);
  });
  thread.on("error", (error) => {
    lose(messageOf(error));
  });
  const ended = new Promise<void>((resolve) => {
    thread.on("exit", (code) => {
      lose(`its thread ended with ${code}`);
      if (!isClosed) {
        onLost();
      }
      resolve();
    });
  });

  /** Asks for one thing; only one is asked for at a time. */
  const ask = async <Kind extends keyof Replies>(
    request: Extract<Request, { kind: Kind }>,
  ): Promise<Replies[Kind]> => {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    expected = resolve;
    if (lost === undefined) {
      thread.postMessage(request);
    } else {
      resolve(lost);
    }
    const reply = await promise;
    expected = undefined;
    if ("hasFailed" in reply) {
      throw reply.isUnusable ? new UnusableStore(reply.problem) : new FailedCommit(reply);
    }
    return reply as Replies[Kind];
  };
  const end = async (): Promise<void> => {
    isClosed = true;
    await ask({ kind: "close" }).catch(() => undefined);
    await ended;
  };

  try {
    const { catalog } = await ask({ kind: "open", path, limits });
    return {
      catalog,
      async *objects() {
        yield* inAdvance(async () => {
          const { chunk } = await ask({ kind: "next-objects" });
          return chunk && unpack<ObjectRow, "bytes">(chunk, "bytes");
        });
      },
      async *commits() {
        yield* inAdvance(async () => {
          const { chunk } = await ask({ kind: "next-commits" });
          return chunk && unpack<CommitRow, "record">(chunk, "record");
        });
      },
      async append(commits) {
        await ask({ kind: "append", commits });
      },
      close: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Asks for the next chunk while one is being read. */
async function* inAdvance<Chunk>(
  next: () => Promise<Chunk | undefined>,
): AsyncGenerator<Chunk, void> {
  for (let asked = next(); ;) {
    const chunk = await asked;
    if (chunk === undefined) {
      return;
    }
    asked = next();
    // A reader that leaves the loop early does not wait for it.
    asked.catch(() => undefined);
    yield chunk;
  }
}
