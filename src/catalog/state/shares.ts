import { compareText } from "./order.ts";
import { SortedMap } from "./sorted-map.ts";

/**
 * What each organization holds of something that is bounded as a whole. When that is full, the one that
 * holds most gives some back, so that none can take what another needs.
 */
export interface Shares {
  readonly total: number;
  /** What an organization holds. */
  of(organization: string): number;
  /** Says what an organization holds from now on. One that holds 0 is forgotten. */
  set(organization: string, amount: number): void;
  /** The organizations that hold something, the one that holds most first. */
  byAmount(): Iterable<string>;
}

interface Share {
  readonly organization: string;
  readonly amount: number;
}

/** Creates shares of which nobody holds any. */
export function createShares(): Shares {
  const shares = new Map<string, Share>();
  const sorted = new SortedMap<Share, undefined>(undefined, compareShares);
  let total = 0;
  return {
    get total() {
      return total;
    },
    of: (organization) => shares.get(organization)?.amount ?? 0,
    set(organization, amount) {
      const before = shares.get(organization);
      if (before !== undefined) {
        sorted.delete(before);
        total -= before.amount;
      }
      if (amount === 0) {
        shares.delete(organization);
        return;
      }
      const share = { organization, amount };
      shares.set(organization, share);
      sorted.set(share, undefined);
      total += amount;
    },
    *byAmount() {
      for (const [{ organization }] of sorted.entriesReversed()) {
        yield organization;
      }
    },
  };
}

function compareShares(a: Share, b: Share): number {
  return a.amount - b.amount || compareText(a.organization, b.organization);
}
