import type { Reader } from "../store.ts";
import type { WatchMessage } from "./message.ts";
import type { WatchReader } from "./reader.ts";
import type { Source } from "./source.ts";

/** How a watch is sent. */
export interface WatchOptions {
  /** The time without a message after which a bookmark is sent, in ms. */
  readonly bookmarkIntervalMs: number;
  /** The time in ms. Default: the process's. */
  readonly now?: () => number;
}

/** The default time without a message after which a bookmark is sent, in ms; 30 s are promised. */
export const defaultBookmarkIntervalMs = 25_000;

/**
 * The messages of a reader, and bookmarks while there are none.
 *
 * Raises a CatalogError if the reader does.
 */
export function watch(
  store: Reader,
  reader: WatchReader,
  { bookmarkIntervalMs, now = () => performance.now() }: WatchOptions,
): Source<WatchMessage> {
  let dueAt = now() + bookmarkIntervalMs;
  return {
    get dueAt() {
      return dueAt;
    },
    read(isOver) {
      const read = reader.read(isOver);
      const at = now();
      if (typeof read === "string" && at < dueAt) {
        return read;
      }
      dueAt = at + bookmarkIntervalMs;
      return typeof read === "string" ? reader.bookmark() : read;
    },
    subscribe(notify) {
      // The history remembers an organization while it is watched; see store.ts.
      store.history.remember(reader.organization);
      return store.commitNotifier.subscribe(reader.organization, notify);
    },
    get position() {
      return { next_revision: String(reader.nextRevision) };
    },
  };
}
