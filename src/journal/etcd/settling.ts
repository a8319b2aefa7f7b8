/*
 * Carries out what is pending, once at a time for each organization, however many wait for it. It goes on
 * without them: a write that has waited for long enough leaves the rest to those that come later.
 */
import type { EtcdClient } from "./client.ts";
import type { Keys } from "./keys.ts";
import { carryOut } from "./pending.ts";
import { orAborted } from "./progress.ts";
import type { Replica } from "./replica.ts";

/** What is being carried out. */
export interface Settling {
  /** Resolves when the pending commit of an organization has been carried out. The signal ends the waiting. */
  settle(organization: string, signal: AbortSignal): Promise<void>;
  /** Begins to carry it out, if there is one. */
  begin(organization: string): void;
}

/** Creates one. All work ends with the signal. */
export function createSettling(
  client: EtcdClient,
  keys: Keys,
  replica: Replica,
  signal: AbortSignal,
): Settling {
  const running = new Map<string, Promise<void>>();

  const work = async (organization: string): Promise<void> => {
    const pending = replica.pending(organization);
    if (pending !== undefined) {
      await carryOut(client, keys, organization, pending, signal);
      // Its event is not waited for: if another server was first, nothing tells the revision.
      replica.settled(organization, pending);
    }
  };

  const join = (organization: string): Promise<void> => {
    let joined = running.get(organization);
    if (joined === undefined) {
      joined = work(organization).finally(() => running.delete(organization));
      running.set(organization, joined);
      // Whoever writes next, here or elsewhere, tries again.
      joined.catch(() => undefined);
    }
    return joined;
  };

  return {
    settle: (organization, waiting) => orAborted(join(organization), waiting),
    begin: (organization) => void join(organization),
  };
}
