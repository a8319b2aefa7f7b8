import { callerOf } from "../catalog/access/caller.ts";
import { tooManyWatches } from "../catalog/errors.ts";
import type { Call } from "./method.ts";

/** The default limit on the open watches of a caller. */
export const defaultMaxWatches = 1_000;

/** The open streams of all callers: watches, those of health too, and conversations. */
export interface OpenWatches {
  /**
   * Adds one. Returns a function that takes it out, to be called once.
   *
   * Raises a CatalogError of the kind too-many if its caller has as many as one may have.
   */
  open(call: Pick<Call, "principal" | "origin">): () => void;
}

/**
 * Creates an empty record. Callers are identified by their principals, and callers without one by the
 * addresses that they call from.
 */
export function createOpenWatches(limit: number): OpenWatches {
  const counts = new Map<string, number>();
  return {
    open({ principal, origin }) {
      const caller = callerOf(principal, origin?.peer);
      const count = counts.get(caller) ?? 0;
      if (count >= limit) {
        throw tooManyWatches(caller, limit);
      }
      counts.set(caller, count + 1);
      return () => {
        const left = (counts.get(caller) ?? 0) - 1;
        if (left === 0) {
          counts.delete(caller);
        } else {
          counts.set(caller, left);
        }
      };
    },
  };
}
