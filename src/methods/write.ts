import type { Plan } from "../catalog/writes/plan.ts";
import type { Call } from "./method.ts";

/** Makes a write of a call: its commit names the caller and the method. It is given up with the call. */
export function write<Result>(call: Call, plan: Plan<Result>): Promise<Result> {
  const { journal, principal, method: reason, signal, onCommit } = call;
  return journal.write(plan, {
    signal,
    author: principal.name,
    reason,
    ...(onCommit && { onCommit }),
  });
}
