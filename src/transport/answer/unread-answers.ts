/*
 * The answers that wait to be read. They are in memory until their clients read them, and a client may be
 * slow, or never read at all.
 *
 * 1. The unread bytes of one connection are bounded; one answer alone always passes.
 * 2. The unread bytes of all connections are bounded. Over the bound, the connection with the most of them
 *    loses its oldest answer.
 * 3. An answer is given up when its client has read nothing of it for `stallMs`, and an answer of one
 *    message as a whole after `answerMs`. The time of a queued answer begins with its turn.
 */
import type { Exchange } from "../exchange.ts";

/** How much may wait to be read, and for how long. */
export interface UnreadLimits {
  /** On one connection, in bytes. */
  readonly connectionBytes: number;
  /** On all connections together, in bytes. */
  readonly totalBytes: number;
  /** How long a client may read nothing of what waits for it, in ms. */
  readonly stallMs: number;
  /** How long a client may take to read an answer of one message, in ms. */
  readonly answerMs: number;
}

/** The default limits. */
export const defaultUnreadLimits: UnreadLimits = {
  connectionBytes: 64 * 1024 * 1024,
  totalBytes: 256 * 1024 * 1024,
  stallMs: 60_000,
  answerMs: 5 * 60_000,
};

/** Something that waits to be read. */
export interface Waiting {
  readonly exchange: Pick<Exchange, "connection" | "isGone" | "isQueued">;
  readonly bytes: number;
  /** Whether this is an answer of one message, which can still be refused with an error. */
  readonly isWhole: boolean;
  /** Gives it up, because it is not read. */
  readonly end: () => void;
  /** Gives it up, because the server goes down. */
  readonly shutDown: () => void;
}

/** The record of something that waits to be read. */
export interface Hold {
  /** How much else of its connection waits to be read: the number of answers and messages. */
  readonly others: number;
  /** Says that the client has read some of it. */
  progress(): void;
  /** Says that it does not wait any more. */
  release(): void;
}

/** All that waits to be read. */
export interface UnreadAnswers {
  /** How many bytes wait. */
  readonly bytes: number;
  /** Begins to hold something; returns undefined if there is no room for it. */
  hold(waiting: Waiting): Hold | undefined;
  /** Gives up all messages of streams, because the server goes down. */
  shutDownStreams(): void;
}

interface Entry extends Waiting {
  /** The connection on which it began; a stream that has ended no longer names it. */
  readonly connection: object;
  readonly since: number;
  readAt: number;
}

/** What one connection leaves unread. */
interface Pile {
  bytes: number;
  /** In the order in which they began to wait. */
  readonly entries: Set<Entry>;
}

/**
 * Creates an empty record.
 *
 * @param now - milliseconds since any fixed time
 */
export function createUnreadAnswers(limits: UnreadLimits, now: () => number): UnreadAnswers {
  const piles = new Map<object, Pile>();
  let total = 0;
  let sweeper: NodeJS.Timeout | undefined;
  const sweepMs = Math.max(10, Math.min(1000, limits.stallMs / 4, limits.answerMs / 4));

  function add(entry: Entry): void {
    const { connection } = entry;
    const pile = piles.get(connection) ?? { bytes: 0, entries: new Set() };
    piles.set(connection, pile);
    pile.entries.add(entry);
    pile.bytes += entry.bytes;
    total += entry.bytes;
    sweeper ??= setInterval(sweep, sweepMs).unref();
  }

  function remove(entry: Entry): void {
    const { connection } = entry;
    const pile = piles.get(connection);
    if (pile?.entries.delete(entry) !== true) {
      return;
    }
    pile.bytes -= entry.bytes;
    total -= entry.bytes;
    if (pile.entries.size === 0) {
      piles.delete(connection);
    }
    if (piles.size === 0) {
      clearInterval(sweeper);
      sweeper = undefined;
    }
  }

  function giveUp(entry: Entry): void {
    remove(entry);
    entry.end();
  }

  function sweep(): void {
    const at = now();
    for (const { entries } of piles.values()) {
      for (const entry of entries) {
        if (entry.exchange.isQueued) {
          entry.readAt = at;
        }
        const isStalled = at - entry.readAt >= limits.stallMs;
        if (isStalled || (entry.isWhole && at - entry.since >= limits.answerMs)) {
          giveUp(entry);
        }
      }
    }
  }

  /** Makes room for more on a connection; returns false if there is none. */
  function makeRoom({ bytes, isWhole }: Waiting, connection: object): boolean {
    const own = isWhole ? bytesOf(connection) : (piles.get(connection)?.bytes ?? 0);
    if (isWhole && own > 0 && own + bytes > limits.connectionBytes) {
      return false;
    }
    while (total > 0 && total + bytes > limits.totalBytes) {
      const [largest, pile] = largestPile();
      const [oldest] = pile.entries;
      if (oldest === undefined || (largest === connection ? true : pile.bytes <= own + bytes)) {
        return false;
      }
      giveUp(oldest);
    }
    return true;
  }

  /** The unread bytes of a connection. If they are many, answers that were given up are removed first. */
  function bytesOf(connection: object): number {
    const pile = piles.get(connection);
    if (pile === undefined || pile.bytes <= limits.connectionBytes / 2) {
      return pile?.bytes ?? 0;
    }
    [...pile.entries].filter(({ exchange }) => exchange.isGone).forEach(remove);
    return pile.bytes;
  }

  function largestPile(): readonly [object, Pile] {
    return [...piles].reduce((a, b) => (b[1].bytes > a[1].bytes ? b : a));
  }

  return {
    get bytes() {
      return total;
    },
    shutDownStreams() {
      const entries = [...piles.values()].flatMap((pile) => [...pile.entries]);
      for (const entry of entries.filter(({ isWhole }) => !isWhole)) {
        remove(entry);
        entry.shutDown();
      }
    },
    hold(waiting) {
      const { connection } = waiting.exchange;
      if (!makeRoom(waiting, connection)) {
        return undefined;
      }
      const at = now();
      const entry: Entry = { ...waiting, connection, since: at, readAt: at };
      add(entry);
      return {
        get others() {
          return (piles.get(connection)?.entries.size ?? 1) - 1;
        },
        progress: () => {
          entry.readAt = now();
        },
        release: () => {
          remove(entry);
        },
      };
    },
  };
}
