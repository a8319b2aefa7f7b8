/* A client that watches an organization for as long as it is told, and keeps all that it is told. */
import { ConnectError } from "@connectrpc/connect";
import type { WatchResponse } from "../../../gen/wasmext/v1/watch_service_pb.ts";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import type { Clients } from "../../../src/cli/clients.ts";
import { createReplica, follow, type Replica } from "../../support/watched.ts";

/** A watch without end. */
export interface Watcher extends AsyncDisposable {
  /** All commits, in the order in which they came. */
  readonly commits: readonly WatchResponse[];
  /** Those revisions up to which it was told a state instead of commits. */
  readonly restarts: readonly bigint[];
  /** Up to where it has everything. */
  readonly revision: bigint;
  readonly replica: Replica;
  /** Resolves when it has everything up to a revision. */
  reaches(revision: bigint): Promise<void>;
}

/** Watches from the present state on; begins anew when it is told to. */
export function openWatcher({ watches }: Clients, parent: string): Watcher {
  const controller = new AbortController();
  const commits: WatchResponse[] = [];
  const restarts: bigint[] = [];
  const waiting: { readonly revision: bigint; readonly resolve: () => void }[] = [];
  let replica = createReplica();
  let revision = 0n;
  let incarnation = "";

  const take = (response: WatchResponse, isComplete: boolean): void => {
    follow(replica, response);
    if (isComplete) {
      if (!response.bookmark) {
        commits.push(response);
      }
      ({ revision } = response);
    }
    for (const each of waiting.filter((one) => one.revision <= revision)) {
      waiting.splice(waiting.indexOf(each), 1);
      each.resolve();
    }
  };
  const watchFrom = async (startRevision: bigint): Promise<bigint> => {
    let isComplete = startRevision > 0n;
    try {
      const { signal } = controller;
      const responses = watches.watch({ parent, startRevision, incarnation }, { signal });
      for await (const response of responses) {
        ({ incarnation } = response);
        if (!isComplete && response.bookmark) {
          isComplete = true;
          restarts.push(response.revision);
        }
        take(response, isComplete);
      }
      throw new Error("a watch ended without an error");
    } catch (error) {
      const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
      const next = info?.metadata["next_revision"];
      if (next === undefined && !controller.signal.aborted) {
        throw error;
      }
      return BigInt(next ?? 0);
    }
  };
  const run = async (): Promise<void> => {
    let next = 0n;
    while (!controller.signal.aborted) {
      if (next === 0n) {
        replica = createReplica();
        incarnation = "";
      }
      next = await watchFrom(next);
    }
  };
  const running = run();
  running.catch(() => undefined);
  return {
    commits,
    restarts,
    get revision() {
      return revision;
    },
    get replica() {
      return replica;
    },
    async reaches(wanted) {
      if (revision < wanted) {
        const { promise, resolve } = Promise.withResolvers<undefined>();
        waiting.push({
          revision: wanted,
          resolve: () => {
            resolve(undefined);
          },
        });
        await Promise.race([promise, running]);
      }
    },
    async [Symbol.asyncDispose]() {
      controller.abort();
      await running;
    },
  };
}
