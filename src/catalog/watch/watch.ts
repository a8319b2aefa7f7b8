import type { Reader } from "../store.ts";
import type { WatchMessage } from "./message.ts";
import type { WatchReader } from "./reader.ts";
import { createWaiter } from "./waiter.ts";

/** How a watch is sent. */
export interface WatchOptions {
  /** Ends the watch, without an error. */
  readonly signal: AbortSignal;
  /** The time without a message after which a bookmark is sent, in ms. */
  readonly bookmarkIntervalMs: number;
  /** The time in ms. Default: the process's. */
  readonly now?: () => number;
}

/** The default time without a message after which a bookmark is sent, in ms; 30 s are promised. */
export const defaultBookmarkIntervalMs = 25_000;

/**
 * The messages of a reader, and bookmarks while there are none, until the signal is aborted.
 *
 * Raises a CatalogError if the reader does.
 */
export async function* watch(
  store: Reader,
  reader: WatchReader,
  { signal, bookmarkIntervalMs, now = () => performance.now() }: WatchOptions,
): AsyncGenerator<WatchMessage, void> {
  // The history remembers an organization while it is watched; see store.ts.
  store.history.remember(reader.organization);
  const waiter = createWaiter(
    (notify) => store.commitNotifier.subscribe(reader.organization, notify),
    signal,
  );
  try {
    let bookmarkDue = now() + bookmarkIntervalMs;
    while (!signal.aborted) {
      const read = reader.read(store.turns.begin());
      const isBookmarkDue = now() >= bookmarkDue;
      if (typeof read !== "string" || isBookmarkDue) {
        bookmarkDue = now() + bookmarkIntervalMs;
        yield typeof read === "string" ? reader.bookmark() : read;
      } else if (read === "more") {
        await store.turns.next();
      } else {
        await waiter.wait(bookmarkDue - now());
      }
    }
  } finally {
    waiter.leave();
  }
}
