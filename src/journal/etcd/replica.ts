/*
 * Keeps a store up to date with etcd: loads it, follows from there, and resumes when a watch has ended.
 *
 * 1. The store is loaded as of some time ago, and the commits since then follow one by one: so a server
 *    that has just started has a history for watches that resume.
 * 2. The replica is in touch while a watch is there and the store has reached what etcd had when the watch
 *    began.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Sink } from "../../catalog/store.ts";
import { createReadiness, type Readiness } from "../readiness.ts";
import type { RecordedCommit } from "../record.ts";
import { openCatalogKey, renewCatalog } from "./catalog-key.ts";
import type { EtcdClient } from "./client.ts";
import { follow, type Position } from "./follower.ts";
import type { Keys } from "./keys.ts";
import { latestCommit } from "./latest-commit.ts";
import { load } from "./load.ts";
import { oldestRevision } from "./oldest.ts";
import { Diverged, Outdated } from "./outdated.ts";
import type { Pending } from "./pending.ts";
import { isCompacted } from "./problems.ts";
import { createProgress, type Progress } from "./progress.ts";

/** The options of a replica. */
export interface ReplicaOptions {
  readonly client: EtcdClient;
  readonly keys: Keys;
  readonly sink: Sink;
  /** How many of etcd's latest revisions are loaded one by one. */
  readonly historyRevisions: number;
  /** Within what time etcd has to bring something while the replica is opened, in ms. */
  readonly openMs: number;
  /** A commit that this server has decided, by its id. */
  readonly own: (id: string) => RecordedCommit | undefined;
  /** The store has reached a commit. */
  readonly onCommit: (id: string, revision: bigint) => void;
  /** Is told when it loses touch, and why; undefined when it is in touch again. */
  readonly onProblem: (problem: string | undefined) => void;
}

/** A store that is kept up to date with etcd. */
export interface Replica {
  readonly readiness: Readiness;
  readonly progress: Progress;
  /** How often its store was loaded. */
  readonly loads: number;
  /** The revision of the head of an organization; 0 if it has none. */
  head(organization: string): bigint;
  pending(organization: string): Pending | undefined;
  /** Records that a commit is no longer pending, whether the store has seen that or not. */
  settled(organization: string, pending: Pending): void;
  /** All that is pending, by organization. */
  readonly pendings: ReadonlyMap<string, Pending>;
  close(): Promise<void>;
}

const firstRetryMs = 50;
const maxRetryMs = 1_000;

/** Opens a replica; resolves when its store has all that etcd had when this was called. */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const { client, keys, sink, historyRevisions } = options;
  const closing = new AbortController();
  const readiness = createReadiness();
  const progress = createProgress();
  let incarnation = "";
  let loads = 0;

  let hasProblem = false;
  const report = (problem: string | undefined): void => {
    if (hasProblem !== (problem !== undefined)) {
      hasProblem = problem !== undefined;
      options.onProblem(problem);
    }
  };

  const loadFrom = async (oldest: bigint, signal: AbortSignal): Promise<Position> => {
    const catalog = await openCatalogKey(client, keys, signal);
    const wanted = [catalog.now - BigInt(historyRevisions), catalog.since, oldest];
    let revision = wanted.reduce((a, b) => (a > b ? a : b));
    for (;;) {
      try {
        const loaded = await load(client, keys, revision, sink.turns, signal);
        if (catalog.incarnation === incarnation && loaded.state.revision < sink.state.revision) {
          throw new Diverged("etcd has an older state, as after a restore");
        }
        ({ incarnation } = catalog);
        sink.restore({
          state: loaded.state,
          incarnation,
          floor: loaded.state.revision + 1n,
        });
        loads++;
        progress.moveTo(revision);
        return { ...loaded, revision };
      } catch (error) {
        if (!isCompacted(error)) {
          throw error;
        }
        revision = await oldestRevision(client, keys, revision, signal);
      }
    }
  };

  const opening = AbortSignal.timeout(options.openMs);
  let position = await loadFrom(0n, opening);
  const isOpen = Promise.withResolvers<undefined>();
  const limit = setTimeout(() => {
    isOpen.reject(new Error("etcd does not answer a watch of its keys"));
  }, options.openMs);
  let outdated: Outdated | undefined;

  /** Follows until something ends the watch; returns that. */
  const followOnce = async (): Promise<unknown> => {
    const round = new AbortController();
    const signal = AbortSignal.any([closing.signal, round.signal]);
    const onWatching = async (): Promise<void> => {
      const latest = await latestCommit(client, keys, position, signal);
      void progress.reached(latest, signal).then(
        () => {
          if (!signal.aborted) {
            readiness.set(true);
            report(undefined);
            isOpen.resolve(undefined);
          }
        },
        // The watch has ended before.
        () => undefined,
      );
    };
    try {
      return await follow(
        {
          client,
          keys,
          sink,
          own: options.own,
          onWatching,
          onMoved: ({ revision }, id) => {
            if (id !== undefined) {
              options.onCommit(id, revision);
            }
            progress.moveTo(revision);
            limit.refresh();
          },
        },
        position,
        signal,
      );
    } catch (error) {
      return error;
    } finally {
      round.abort();
    }
  };

  const run = async (): Promise<void> => {
    let retryMs = firstRetryMs;
    while (!closing.signal.aborted) {
      let problem: unknown;
      if (outdated === undefined) {
        problem = await followOnce();
      } else {
        problem = await reload(outdated).catch((error: unknown) => error);
      }
      // The signal may have been aborted meanwhile.
      if (isAborted(closing.signal)) {
        return;
      }
      if (problem === undefined) {
        outdated = undefined;
        continue;
      }
      // Only attempts without a working watch are delayed longer and longer.
      retryMs = readiness.isReady ? firstRetryMs : retryMs;
      readiness.set(false);
      report(problem instanceof Error ? problem.message : "the watch has ended");
      outdated = problem instanceof Outdated ? problem : outdated;
      await delay(retryMs * (0.5 + Math.random()), undefined, { signal: closing.signal }).catch(
        () => undefined,
      );
      retryMs = Math.min(maxRetryMs, retryMs * 2);
    }
  };

  const reload = async (reason: Outdated): Promise<undefined> => {
    if (reason instanceof Diverged) {
      await renewCatalog(client, keys, incarnation, closing.signal);
    }
    position = await loadFrom(reason.oldest, closing.signal);
    return undefined;
  };

  const running = run();
  const close = async (): Promise<void> => {
    readiness.set(false);
    closing.abort();
    await running;
  };
  try {
    await isOpen.promise;
  } catch (error) {
    await close();
    throw error;
  } finally {
    clearTimeout(limit);
  }
  return {
    readiness,
    progress,
    get loads() {
      return loads;
    },
    head: (organization) => position.heads.get(organization) ?? 0n,
    pending: (organization) => position.pendings.get(organization),
    settled(organization, pending) {
      if (position.pendings.get(organization) === pending) {
        position.pendings.delete(organization);
      }
    },
    get pendings() {
      return position.pendings;
    },
    close,
  };
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
