/*
 * How much history a file keeps: the same bounds as those of the history in memory, for all organizations
 * together.
 */
import type { HistoryLimits } from "../../catalog/state/history.ts";

/** The properties of a commit that count for the bounds. */
export interface Counted {
  readonly revision: bigint;
  /** In ms since 1970. */
  readonly time: number | bigint;
  /** Its size in memory, in bytes. */
  readonly weight: number | bigint;
}

/** The commits that a file keeps. */
export interface HistoryBounds {
  /** The oldest revision that is kept; undefined if there is none. */
  readonly floor: bigint | undefined;
  /** Counts a commit that is there. */
  add(commit: Counted): void;
  /** What is kept after commits have been added. Nothing is counted until it is accepted. */
  after(commits: readonly Counted[]): Kept;
}

/** What is kept after a transaction. */
export interface Kept {
  readonly floor: bigint;
  /** Whether older commits are dropped. */
  readonly drops: boolean;
  /** The transaction has succeeded. */
  accept(): void;
}

/** Creates bounds on nothing. */
export function createHistoryBounds({
  maxCommits,
  maxWeight,
  maxAgeMs,
}: HistoryLimits): HistoryBounds {
  let kept: Counted[] = [];
  /** The index of the oldest in `kept`. */
  let begin = 0;
  let total = 0;

  const add = (commit: Counted): void => {
    kept.push(commit);
    total += Number(commit.weight);
  };
  return {
    get floor() {
      return kept[begin]?.revision;
    },
    add,
    after(commits) {
      const all = [...commits];
      const at = (index: number): Counted | undefined =>
        index < kept.length ? kept[index] : all[index - kept.length];
      const end = kept.length + all.length;
      const newest = at(end - 1);
      const oldestTime = Number(newest?.time ?? 0) - maxAgeMs;
      let weight = all.reduce((sum, commit) => sum + Number(commit.weight), total);
      let next = begin;
      // The latest is kept whatever its size.
      for (; next < end - 1; next++) {
        const oldest = at(next);
        const isTooMuch =
          end - next > maxCommits || weight > maxWeight || Number(oldest?.time ?? 0) < oldestTime;
        if (!isTooMuch) {
          break;
        }
        weight -= Number(oldest?.weight ?? 0);
      }
      return {
        floor: at(next)?.revision ?? 0n,
        drops: next > begin,
        accept() {
          all.forEach(add);
          begin = next;
          total = weight;
          // Makes room now and then, at a cost that does not depend on how many are kept.
          if (begin > kept.length / 2) {
            kept = kept.slice(begin);
            begin = 0;
          }
        },
      };
    },
  };
}
