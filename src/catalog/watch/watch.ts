import type { Reader } from "../store.ts";
import type { WatchMessage } from "./message.ts";
import type { WatchReader } from "./reader.ts";
import { createWaiter, subscribeUntilAborted } from "./waiter.ts";

/** How a watch is sent. */
export interface WatchOptions {
  /** Ends the watch, without an error. */
  readonly signal: AbortSignal;
  /** After how long without a message a bookmark is sent, in ms. */
  readonly bookmarkIntervalMs: number;
  /** The time in ms. Default: the process's. */
  readonly now?: () => number;
}

/** After how long without a message a watch sends a bookmark by default, in ms; 30 s are promised. */
export const defaultBookmarkIntervalMs = 25_000;

/**
 * All that a reader reads, as it comes, and bookmarks while nothing happens, until the signal is aborted.
 *
 * Raises a CatalogError if the reader does.
 */
export async function* watch(
  store: Reader,
  reader: WatchReader,
  { signal, bookmarkIntervalMs, now = () => performance.now() }: WatchOptions,
): AsyncGenerator<WatchMessage, void> {
  const waiter = createWaiter();
  // What is known of an organization is not forgotten while it is watched; see store.ts.
  store.history.remember(reader.organization);
  const leave = subscribeUntilAborted(store.commitNotifier, reader.organization, waiter, signal);
  try {
    let bookmarkDue = now() + bookmarkIntervalMs;
    while (!signal.aborted) {
      const read = reader.read(store.turns.begin());
      const isBookmarkDue = now() >= bookmarkDue;
      if (typeof read !== "string" || isBookmarkDue) {
        yield typeof read === "string" ? reader.bookmark() : read;
        bookmarkDue = now() + bookmarkIntervalMs;
      } else if (read === "more") {
        await store.turns.next();
      } else {
        await waiter.wait(signal, bookmarkDue - now());
      }
    }
  } finally {
    leave();
  }
}
