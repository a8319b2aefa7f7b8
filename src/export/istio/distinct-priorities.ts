import type { ExecutionKey } from "../../catalog/state/order.ts";

const maxInt32 = 0x7fffffff;

/**
 * The priorities to write for extensions that may meet in a proxy: strictly descending inside a phase,
 * so that nothing is left to the age of the objects. Each is the extension's own, or as little above it
 * as keeps it before the next; where that would be more than an int32 holds, those that follow go down
 * instead.
 *
 * @param keys - in execution order
 */
export function distinctPriorities(
  keys: readonly Pick<ExecutionKey, "phase" | "priority">[],
): number[] {
  const raised: number[] = [];
  for (let index = keys.length - 1; index >= 0; index--) {
    const priority = keys[index]?.priority ?? 0;
    const isLast = keys[index + 1]?.phase !== keys[index]?.phase;
    raised[index] = isLast ? priority : Math.max(priority, (raised[index + 1] ?? 0) + 1);
  }
  let ceiling = maxInt32;
  return raised.map((priority, index) => {
    if (keys[index - 1]?.phase !== keys[index]?.phase) {
      ceiling = maxInt32;
    }
    const distinct = Math.min(priority, ceiling);
    ceiling = distinct - 1;
    return distinct;
  });
}
