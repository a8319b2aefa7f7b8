/* A watch that goes on over the ends of its server, and what it has seen. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect } from "vitest";
import { WatchService, type WatchResponse } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { createReplica, follow, type Replica } from "../support/watched.ts";
import { acme, type Answered } from "./load.ts";

/** What a watch has seen. */
export interface Follower {
  readonly replica: Replica;
  /** The last revision that it has seen. */
  readonly revision: bigint;
  /** Follows a server from where the one before has ended. Resolves when this one has. */
  follow(url: string): Promise<void>;
  /** Resolves when a revision has been seen. */
  reached(revision: bigint): Promise<void>;
  /** Checks that writes were seen that have been answered. */
  expectSeen(answered: readonly Answered[]): void;
}

/** Begins before the first commit of acme. */
export function createFollower(): Follower {
  const replica = createReplica();
  const etags = new Set<string>();
  const deletions = new Map<string, number>();
  const waiting = new Map<bigint, () => void>();
  let revision = 0n;
  let incarnation = "";

  const take = (response: WatchResponse): void => {
    expect(incarnation === "" || incarnation === response.incarnation).toBe(true);
    incarnation = response.incarnation;
    if (response.bookmark) {
      return;
    }
    // Each commit once, and in order.
    expect(response.revision).toBeGreaterThan(revision);
    revision = response.revision;
    for (const { event } of response.events) {
      if (event.case === "extensionPut" || event.case === "attachmentSetPut") {
        etags.add(event.value.etag);
      } else if (event.case !== undefined) {
        deletions.set(event.value, (deletions.get(event.value) ?? 0) + 1);
      }
    }
    follow(replica, response);
    expectSound(replica);
    for (const [awaited, resolve] of waiting) {
      if (awaited <= revision) {
        resolve();
      }
    }
  };
  return {
    replica,
    get revision() {
      return revision;
    },
    async follow(url) {
      const client = createClient(WatchService, createGrpcTransport({ baseUrl: url }));
      const watch = client.watch({ parent: acme, startRevision: revision + 1n, incarnation });
      const messages = watch[Symbol.asyncIterator]();
      for (;;) {
        const next = await messages.next().catch(() => undefined);
        if (next === undefined || next.done === true) {
          return;
        }
        take(next.value);
      }
    },
    reached: (awaited) =>
      new Promise((resolve) => {
        if (awaited <= revision) {
          resolve();
        }
        waiting.set(awaited, resolve);
      }),
    expectSeen(answered) {
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
    },
  };
}

/** No set attaches what is not there, or what its tenant may not use: no cascade is there by half. */
export function expectSound({ extensions, attachmentSets }: Replica): void {
  const unsound: string[] = [];
  for (const { fqn: target, extension } of attachmentSets.values()) {
    const tenant = target.split("/workspaces/")[0] ?? "";
    for (const { fqn } of extension) {
      const allowedIn = extensions.get(fqn)?.allowedIn;
      if (allowedIn?.length !== 0 && allowedIn?.includes(tenant) !== true) {
        unsound.push(`${target} attaches ${fqn}`);
      }
    }
  }
  expect(unsound).toEqual([]);
}

/** What a server holds now. */
export async function presentOf(url: string): Promise<{ revision: bigint; replica: Replica }> {
  const client = createClient(WatchService, createGrpcTransport({ baseUrl: url }));
  const replica = createReplica();
  const controller = new AbortController();
  const { signal } = controller;
  for await (const response of client.watch({ parent: acme }, { signal })) {
    follow(replica, response);
    if (response.bookmark) {
      // The stream is left to its end, which the abort makes.
      setImmediate(() => {
        controller.abort();
      });
      return { revision: response.revision, replica };
    }
  }
  throw new Error("the watch ended before its bookmark");
}
