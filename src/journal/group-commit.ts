/*
 * Group commit: writes that come while the disk is busy share the next transaction.
 *
 * 1. A batch begins when the one before it is stored and applied. Each of its writes is decided on the
 *    head: the state that the writes before it in the batch leave. Readers do not see the head.
 * 2. Writes of one organization are decided one after the other, those of several at the same time.
 * 3. A batch is closed when everything that waits has been decided, and at the latest after
 *    `maxGatherMs`: a long decision joins a later batch, and does not keep others waiting.
 * 4. The commits of a batch are stored as a whole or not at all. Then the store applies them in order, and
 *    each write is answered.
 * 5. A refusal that was decided on the head is an answer as well: it waits for its batch.
 */
import { apply, prepare, type Prepared, type State } from "../catalog/state/state.ts";
import { inTurns } from "../catalog/state/turns.ts";
import { replacedBy, type Sink } from "../catalog/store.ts";
import type { Decision, Plan } from "../catalog/writes/plan.ts";
import type { WriteOptions } from "./journal.ts";
import { createQueues } from "./queues.ts";
import type { RecordedCommit } from "./record.ts";

/** Decides writes and makes commits of them. */
export interface GroupCommit {
  /** Decides a plan and carries it out, as `Journal.write` does. */
  write<Answer>(plan: Plan<Answer>, options?: WriteOptions): Promise<Answer>;
  /** Resolves when all writes have been answered. */
  idle(): Promise<void>;
}

/** What a group commit works on. */
export interface GroupCommitOptions {
  readonly sink: Sink;
  /** Stores commits, in order, all or none. Rejects with what their writes reject with. */
  readonly persist: (commits: readonly RecordedCommit[]) => Promise<void>;
  /** The time in ms since 1970. */
  readonly now: () => number;
}

/** How long a batch waits for decisions that take long, in ms. */
const maxGatherMs = 5;

/** A write that has been decided and waits for its batch. */
interface Entry {
  /** Undefined if the write changes nothing. */
  readonly made: (RecordedCommit & { readonly prepared: Prepared }) | undefined;
  readonly settle: () => void;
  readonly fail: (error: unknown) => void;
}

/** Creates a group commit on the state of the sink. Nothing else may move the sink. */
export function createGroupCommit({ sink, persist, now }: GroupCommitOptions): GroupCommit {
  const queues = createQueues();
  const underWay = new Set<Promise<unknown>>();
  let head = sink.state;
  let batch: Entry[] = [];
  /** Resolves when the batch that is being stored has been applied, or has failed. */
  let stored: Promise<void> | undefined;
  let deciding = 0;
  let closesAt: number | undefined;

  const diskIsFree = async (): Promise<void> => {
    while (stored !== undefined) {
      await stored;
    }
  };

  const decide = async <Answer>(
    plan: Plan<Answer>,
    state: State,
    signal: AbortSignal | undefined,
  ): Promise<Outcome<Answer>> => {
    deciding++;
    try {
      const decision = await inTurns(plan.decide(state), sink.turns, signal);
      const { organization } = plan;
      const work = prepare(state, { organization, changes: decision.changes });
      return { decision, prepared: await inTurns(work, sink.turns, signal) };
    } catch (raised) {
      signal?.throwIfAborted();
      return { raised };
    } finally {
      deciding--;
    }
  };

  /** Decides a write and adds it to the batch. Resolves with its answer to be. */
  const join = async <Answer>(
    plan: Plan<Answer>,
    { signal, author = "", reason = "", onCommit }: WriteOptions,
  ): Promise<{ readonly answered: Promise<Answer> }> => {
    const { organization } = plan;
    for (;;) {
      await diskIsFree();
      signal?.throwIfAborted();
      const state = head;
      const outcome = await decide(plan, state, signal);
      await diskIsFree();
      if (!isSame(organization, state, head)) {
        // The batch on which this was decided has failed.
        continue;
      }
      signal?.throwIfAborted();
      const isStored = isSame(organization, state, sink.state);
      if ("raised" in outcome) {
        if (isStored) {
          throw outcome.raised;
        }
        return { answered: wait(undefined, () => Promise.reject(outcome.raised as Error)) };
      }
      const { decision, prepared } = outcome;
      const { changes, detached, answer } = decision;
      if (changes.length === 0) {
        return { answered: isStored ? Promise.resolve(answer) : wait(undefined, () => answer) };
      }
      const metadata = { time: now(), author, reason, detached };
      const commit = { revision: head.revision + 1n, organization, changes, metadata };
      const replaced = replacedBy(head, changes);
      head = apply(head, commit, prepared);
      const answerTo = (): Answer => {
        onCommit?.(commit.revision);
        return answer;
      };
      return { answered: wait({ commit, replaced, prepared }, answerTo) };
    }
  };

  /** Adds a decided write to the batch. Resolves when the batch has been applied. */
  const wait = <Answer>(
    made: Entry["made"],
    answer: () => Answer | Promise<Answer>,
  ): Promise<Answer> => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const settle = (): void => {
      resolve(answer());
    };
    batch.push({ made, settle, fail: reject });
    if (closesAt === undefined) {
      closesAt = performance.now() + maxGatherMs;
      setImmediate(close);
    }
    return promise;
  };

  const close = (): void => {
    if (deciding > 0 && performance.now() < (closesAt ?? 0)) {
      setImmediate(close);
      return;
    }
    const closed = batch;
    batch = [];
    closesAt = undefined;
    stored = carryOut(closed).finally(() => {
      stored = undefined;
    });
  };

  const carryOut = async (entries: readonly Entry[]): Promise<void> => {
    const commits = entries.flatMap(({ made }) => made ?? []);
    try {
      if (commits.length > 0) {
        await persist(commits);
      }
      await inTurns(applied(entries), sink.turns);
    } catch (error) {
      head = sink.state;
      for (const { fail } of entries) {
        // Those that have been settled stay as they are.
        fail(error);
      }
    }
  };

  function* applied(entries: readonly Entry[]): Generator<void, void> {
    for (const { made, settle } of entries) {
      if (made !== undefined) {
        sink.apply(made.commit, made.prepared);
      }
      settle();
      yield;
    }
  }

  return {
    write(plan, options = {}) {
      const write = queues
        .run(plan.organization, () => join(plan, options), options.signal)
        .then(({ answered }) => answered);
      const settled = write.then(
        () => undefined,
        () => undefined,
      );
      underWay.add(settled);
      void settled.then(() => underWay.delete(settled));
      return write;
    },
    async idle() {
      while (underWay.size > 0) {
        await Promise.all(underWay);
      }
    },
  };
}

type Outcome<Answer> =
  | { readonly decision: Decision<Answer>; readonly prepared: Prepared }
  | { readonly raised: unknown };

/** Tells whether an organization is the same in two states. */
function isSame(organization: string, a: State, b: State): boolean {
  return a.organizations.get(organization) === b.organizations.get(organization);
}
