import type { Plan } from "../catalog/plan.ts";

/**
 * Turns plans into commits that last, and applies them to the store.
 *
 * What every journal promises:
 * 1. A plan is decided on the latest state, and no other commit comes between it and its own.
 * 2. Commits are applied in the order of their revisions, each as a whole.
 * 3. A write is answered when its commit lasts, as this journal understands it, and is applied.
 * 4. A plan without changes makes no commit; one that raises leaves all as it was.
 */
export interface Journal {
  /** Decides a plan and carries it out; answers what the plan answers. */
  write<Answer>(plan: Plan<Answer>): Promise<Answer>;
}
