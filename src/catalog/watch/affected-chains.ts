import { type Change, isOfExtension } from "../state/commit.ts";
import type { Notifier } from "../state/notifier.ts";
import { isAttached, type State, targetsOf } from "../state/state.ts";

/**
 * The watched targets whose chain changes may change: those of their sets, and of their extensions. An
 * extension costs the number of its targets or of the watches, whichever is less.
 *
 * @param state - the state after the changes
 */
export function affectedChains(
  state: State,
  changes: readonly Change[],
  watched: Notifier,
): ReadonlySet<string> {
  const affected = new Set<string>();
  if (watched.size === 0) {
    return affected;
  }
  for (const change of changes) {
    const { fqn } = change;
    const targets = isOfExtension(change) ? fewTargetsOf(state, fqn, watched.size) : [fqn];
    for (const target of targets ?? watched.keys()) {
      if (targets === undefined ? isAttached(state, fqn, target) : watched.has(target)) {
        affected.add(target);
      }
    }
  }
  return affected;
}

/** The targets of an extension; undefined if they are more than `most`. */
function fewTargetsOf(state: State, extension: string, most: number): string[] | undefined {
  const targets: string[] = [];
  for (const target of targetsOf(state, extension)) {
    if (targets.length === most) {
      return undefined;
    }
    targets.push(target);
  }
  return targets;
}
