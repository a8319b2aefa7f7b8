/*
 * The slots of a proxy that are for the same traffic of a target. When the phase of an extension changes, it
 * moves from one to another, and what it was there last counts.
 */
import type { Filter } from "./filter.ts";
import type { Slot } from "./slot.ts";

/** Slots between which extensions move. */
export interface Place {
  /** Those that are open. */
  readonly slots: Set<Slot>;
  /** What ran last for an attachment in any of them; undefined if nothing did. */
  lastOf(key: string): Filter | undefined;
  /** A filter runs in one of them. */
  came(filter: Filter): void;
  /** A filter no longer runs in one of them. */
  left(filter: Filter): void;
  /** Forgets what has left and is not among the attachments. */
  forgetOthers(attached: () => Iterable<{ readonly key: string }>): void;
}

/** Creates a place without slots. */
export function createPlace(): Place {
  const slots = new Set<Slot>();
  /** The filters that have left a slot, and have not come to another one since. */
  const departed = new Map<string, Filter>();
  return {
    slots,
    lastOf(key) {
      for (const slot of slots) {
        const filter = slot.runningAt(key)?.filter;
        if (filter !== undefined) {
          return filter;
        }
      }
      return departed.get(key);
    },
    came: ({ key }) => departed.delete(key),
    left: (filter) => departed.set(filter.key, filter),
    forgetOthers(attached) {
      if (departed.size === 0) {
        return;
      }
      const keys = new Set([...attached()].map(({ key }) => key));
      for (const key of departed.keys()) {
        if (!keys.has(key)) {
          departed.delete(key);
        }
      }
    },
  };
}
