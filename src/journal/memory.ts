import type { Store } from "../catalog/store.ts";
import type { Journal } from "./journal.ts";

/** Creates a journal whose commits last as long as the process. */
export function createMemoryJournal(store: Store): Journal {
  return {
    // Nothing is awaited between deciding and applying, so no other write can come between.
    // eslint-disable-next-line @typescript-eslint/require-await -- other journals wait for a disk
    async write(plan) {
      const { changes, answer } = plan(store.state);
      if (changes.length > 0) {
        store.apply({ revision: store.state.revision + 1n, changes });
      }
      return answer;
    },
  };
}
