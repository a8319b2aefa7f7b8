/*
 * A journal on etcd, which several servers share. Each follows all commits, its own ones too, and moves its
 * store by what it follows.
 *
 * 1. A commit is one transaction of etcd, which compares the head of its organization with the one that it
 *    was decided on. Of two servers, one is first; the other one decides again.
 * 2. A refusal is decided on a state that was the latest at some time since the write came. Etcd is asked once
 *    whether it was; the states that the store has later are newer still.
 */
import { randomBytes } from "node:crypto";
import { journalClosed, outOfTouch, overtaken } from "../../catalog/errors.ts";
import { inTurns } from "../../catalog/state/turns.ts";
import { replacedBy, type Sink } from "../../catalog/store.ts";
import type { Decision, Plan } from "../../catalog/writes/plan.ts";
import type { Journal, WriteOptions } from "../journal.ts";
import { createQueues } from "../queues.ts";
import { createReadiness } from "../readiness.ts";
import type { RecordedCommit } from "../record.ts";
import { createEtcdClient, type EtcdAccess } from "./client.ts";
import { commitRequests, nameOf } from "./commit-requests.ts";
import { createJanitor } from "./janitor.ts";
import { keysUnder } from "./keys.ts";
import { openingProblem } from "./opening-problem.ts";
import { orAborted } from "./progress.ts";
import { openReplica, type Replica } from "./replica.ts";
import { createReservation, type Reservation } from "./reservation.ts";
import { sendCommit } from "./send-commit.ts";
import { createSettling, type Settling } from "./settling.ts";

/** Options of a journal on etcd. */
export interface EtcdJournalOptions extends EtcdAccess {
  /** What the keys of the catalog begin with. Default: `wasmext/`. */
  readonly prefix?: string;
  /** The time in ms since 1970. */
  readonly now?: () => number;
  /** How many of etcd's latest revisions are loaded commit by commit, for watches that resume. Default: 1,000. */
  readonly historyRevisions?: number;
  /** Within what time etcd has to answer when the journal is opened, in ms. Default: 15,000. */
  readonly openMs?: number;
  /** For how long a write waits while the server is out of touch, in ms. Default: 1,000. */
  readonly outOfTouchMs?: number;
  /** For how long each step of a write waits for etcd, in ms. Default: 5,000. */
  readonly patienceMs?: number;
  /** Is told when it loses touch with etcd, and why; undefined when it is in touch again. */
  readonly onProblem?: (problem: string | undefined) => void;
}

interface Own {
  readonly recorded: RecordedCommit;
  readonly followed: PromiseWithResolvers<true>;
  /** The revision at which the store has reached it; undefined before. */
  revision: bigint | undefined;
}

/** How often a write is decided again because other servers were first. */
const maxRounds = 20;
/** After how many of them a write reserves the next commit. */
const patientRounds = 5;
const sweepMs = 60_000;

/** Creates a journal. Opening rejects with an UnusableStore if etcd, or what is there, cannot be used. */
export function createEtcdJournal({
  prefix = "wasmext/",
  now = Date.now,
  historyRevisions = 1_000,
  openMs = 15_000,
  outOfTouchMs = 1_000,
  patienceMs = 5_000,
  onProblem = () => undefined,
  ...access
}: EtcdJournalOptions): Journal {
  const client = createEtcdClient(access);
  const keys = keysUnder(prefix);
  const queues = createQueues();
  const readiness = createReadiness();
  const stopping = new AbortController();
  /** Commits that this server has sent, by id. */
  const own = new Map<string, Own>();
  let opened:
    { readonly sink: Sink; readonly replica: Replica; readonly settling: Settling } | undefined;
  let accepts = false;
  let sweeping: NodeJS.Timeout | undefined;

  const inTouch = async (replica: Replica, signal: AbortSignal): Promise<void> => {
    while (!replica.readiness.isReady) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const unsubscribe = replica.readiness.subscribe(() => {
        resolve(undefined);
      });
      try {
        await orAborted(promise, signal);
      } finally {
        unsubscribe();
      }
    }
  };

  /** Resolves with the latest head of an organization, when the store has reached it. */
  const latestHead = async (replica: Replica, organization: string, signal: AbortSignal) => {
    const { kvs } = await client.range({ key: keys.head(organization), keysOnly: true }, signal);
    const latest = kvs[0]?.modRevision ?? 0n;
    await replica.progress.reached(latest, signal);
    return latest;
  };

  const writeInTurn = async <Answer>(
    { sink, replica, settling }: NonNullable<typeof opened>,
    reservation: Reservation,
    plan: Plan<Answer>,
    { signal, author = "", reason = "", onCommit }: WriteOptions,
    patience: AbortSignal,
  ): Promise<Answer> => {
    const { organization } = plan;
    const waiting = signal === undefined ? patience : AbortSignal.any([signal, patience]);
    /** Work before the commit is sent: if it fails, nothing has been done. */
    const before = async <Result>(work: Promise<Result>): Promise<Result> => {
      try {
        return await work;
      } catch {
        signal?.throwIfAborted();
        throw outOfTouch();
      }
    };
    /** A head that was the latest one at some time since the write came. */
    let confirmed: bigint | undefined;
    for (let round = 0; round < maxRounds; round++) {
      signal?.throwIfAborted();
      if (!replica.readiness.isReady) {
        await before(inTouch(replica, waiting));
      }
      if (replica.pending(organization) !== undefined && reservation.revision === 0n) {
        await before(settling.settle(organization, limited(signal, patienceMs * 2)));
      }
      if (round >= patientRounds && replica.pending(organization) === undefined) {
        await before(reservation.make(limited(signal, patienceMs)));
      }
      const { state } = sink;
      const head = replica.head(organization);
      const reserved = reservation.revision;
      let decision: Decision<Answer> | undefined;
      let refusal: unknown;
      try {
        decision = await inTurns(plan.decide(state), sink.turns, signal);
      } catch (error) {
        signal?.throwIfAborted();
        refusal = error;
      }
      if (decision === undefined || decision.changes.length === 0) {
        confirmed ??= await before(latestHead(replica, organization, limited(signal, patienceMs)));
        if (head < confirmed) {
          continue;
        }
        if (decision === undefined) {
          throw refusal;
        }
        return decision.answer;
      }
      const { changes, detached, answer } = decision;
      const commit = { revision: 0n, organization, changes };
      const recorded = {
        commit: { ...commit, metadata: { time: now(), author, reason, detached } },
        replaced: replacedBy(state, changes),
      };
      const id = randomBytes(12);
      const requests = commitRequests(keys, id, recorded, { state, head, reserved });
      const entry: Own = { recorded, followed: Promise.withResolvers(), revision: undefined };
      own.set(nameOf(id), entry);
      try {
        const { progress } = replica;
        const { promise: followed } = entry.followed;
        const isFollowed = () => entry.revision !== undefined;
        const loads = () => replica.loads;
        const sending = { client, progress, followed, isFollowed, loads, caller: signal };
        if (await sendCommit(sending, requests, limited(signal, patienceMs))) {
          if (replica.pending(organization) !== undefined) {
            settling.begin(organization);
          }
          // A store that was loaded with the commit has its organization's head, which is at least as new.
          onCommit?.(entry.revision ?? replica.head(organization));
          return answer;
        }
      } finally {
        own.delete(nameOf(id));
      }
    }
    throw overtaken(organization);
  };

  return {
    readiness,
    async open(sink) {
      try {
        const replica = await openReplica({
          client,
          keys,
          sink,
          historyRevisions,
          openMs,
          own: (id) => own.get(id)?.recorded,
          onCommit: (id, revision) => {
            const entry = own.get(id);
            if (entry !== undefined) {
              entry.revision = revision;
              entry.followed.resolve(true);
            }
          },
          onProblem,
        });
        const settling = createSettling(client, keys, replica, stopping.signal);
        opened = { sink, replica, settling };
      } catch (error) {
        client.close();
        throw openingProblem(error, access);
      }
      const { replica, settling } = opened;
      const janitor = createJanitor(client, keys);
      const settleAll = (): void => {
        for (const organization of replica.pendings.keys()) {
          settling.begin(organization);
        }
      };
      sweeping = setInterval(() => {
        settleAll();
        void janitor.sweep(performance.now(), stopping.signal).catch(() => undefined);
      }, sweepMs).unref();
      settleAll();
      replica.readiness.subscribe(() => {
        readiness.set(accepts && replica.readiness.isReady);
      });
      accepts = true;
      readiness.set(replica.readiness.isReady);
    },
    async write(plan, options = {}) {
      if (opened === undefined || !accepts) {
        throw journalClosed();
      }
      const shared = opened;
      const { organization } = plan;
      // Shorter than usual deadlines, so that the caller gets a refusal.
      const patience = AbortSignal.timeout(outOfTouchMs);
      const work = async () => {
        const { replica } = shared;
        const { signal } = stopping;
        const reservation = createReservation(client, keys, replica, organization, signal);
        try {
          return await writeInTurn(shared, reservation, plan, options, patience);
        } finally {
          // A reservation that is left ends by itself.
          void reservation.end().catch(() => undefined);
        }
      };
      return queues.run(organization, work, options.signal);
    },
    async close() {
      accepts = false;
      readiness.set(false);
      clearInterval(sweeping);
      await queues.idle();
      stopping.abort();
      await opened?.replica.close();
      client.close();
    },
  };
}

/** A signal, or the end of a time. */
function limited(signal: AbortSignal | undefined, ms: number): AbortSignal {
  const timeout = AbortSignal.timeout(ms);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}
