import type { ExecutionKey } from "../../catalog/state/order.ts";

const maxInt32 = 0x7fffffff;

/**
 * The priorities to write for extensions that may run in the same proxy. They are strictly descending
 * inside a phase, since Istio orders equal priorities by the age of the objects. Each is the extension's
 * own, or the least greater one that keeps the order; at the greatest int32, the later ones are lowered
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
