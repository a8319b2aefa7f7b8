import { compareText } from "./order.ts";
import { SortedMap } from "./sorted-map.ts";

/**
 * The share of each organization in something that is bounded as a whole. Over the bound, the
 * organization with the largest share gives some back, so that no organization takes from the others.
 */
export interface Shares {
  readonly total: number;
  /** The share of an organization. */
  of(organization: string): number;
  /** Sets the share of an organization. 0 removes it. */
  set(organization: string, amount: number): void;
  /** The organizations with a share, the largest first. */
  byAmount(): Iterable<string>;
}

interface Share {
  readonly organization: string;
  readonly amount: number;
}

/** Creates an empty record. */
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
