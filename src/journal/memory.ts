import { journalClosed } from "../catalog/errors.ts";
import type { Sink } from "../catalog/store.ts";
import { prepare } from "../catalog/state/state.ts";
import { inTurns } from "../catalog/state/turns.ts";
import type { Journal } from "./journal.ts";
import { createQueues } from "./queues.ts";
import { createReadiness } from "./readiness.ts";

/** Options of a journal in memory. */
export interface MemoryJournalOptions {
  /** The time in ms since 1970. */
  readonly now?: () => number;
}

/** Creates a journal whose commits last as long as the process: the store is all that it has. */
export function createMemoryJournal({ now = Date.now }: MemoryJournalOptions = {}): Journal {
  const queues = createQueues();
  const readiness = createReadiness();
  let sink: Sink | undefined;
  const opened = (): Sink => {
    if (sink === undefined) {
      throw journalClosed();
    }
    return sink;
  };
  return {
    readiness,
    open(opening) {
      sink = opening;
      readiness.set(true);
      return Promise.resolve();
    },
    async write(plan, { signal, author = "", reason = "", onCommit } = {}) {
      const { organization } = plan;
      // An accepted write is carried out even if the journal is closed before its turn comes.
      const store = opened();
      const carryOut = async () => {
        const { state, turns } = store;
        const work = plan.decide(state);
        const { changes, detached, answer } = await inTurns(work, turns, signal);
        if (changes.length === 0) {
          return answer;
        }
        const preparation = prepare(state, { organization, changes });
        const prepared = await inTurns(preparation, turns, signal);
        const metadata = { time: now(), author, reason, detached };
        const revision = store.state.revision + 1n;
        store.apply({ revision, organization, changes, metadata }, prepared);
        onCommit?.(revision);
        return answer;
      };
      return queues.run(organization, carryOut, signal);
    },
    async close() {
      sink = undefined;
      readiness.set(false);
      await queues.idle();
    },
  };
}
