import type { Plan } from "../catalog/writes/plan.ts";
import type { Call } from "./method.ts";

/** Writes for a call: its commit says who made it and why, and is given up when nobody waits for it. */
export function write<Result>(call: Call, plan: Plan<Result>): Promise<Result> {
  const { journal, principal, method: reason, signal, onCommit } = call;
  return journal.write(plan, {
    signal,
    author: principal.name,
    reason,
    ...(onCommit && { onCommit }),
  });
}
