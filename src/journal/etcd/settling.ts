/*
 * Waits for reservations of other writes, and carries out pending commits, one at a time for each organization,
 * however many writes wait for it. The work goes on when a write stops waiting for it.
 */
import type { EtcdClient } from "./client.ts";
import type { Keys } from "./keys.ts";
import { carryOut, type Pending } from "./pending.ts";
import { orAborted } from "./progress.ts";
import type { Replica } from "./replica.ts";
import { isReservation, reservationMs } from "./reservation.ts";

/** The work on pending commits. */
export interface Settling {
  /** Resolves when nothing keeps an organization from its next commit. The signal ends the waiting. */
  settle(organization: string, signal: AbortSignal): Promise<void>;
  /** Begins with that, if something is pending. */
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
    const isReserved = pending !== undefined && isReservation(pending);
    if (pending === undefined || (isReserved && (await hasEnded(organization, pending)))) {
      return;
    }
    await carryOut(client, keys, organization, pending, signal);
    // The event is not waited for: if another server was first, its revision is not known.
    replica.settled(organization, pending);
  };

  /** Whether a reservation ends by itself. The server that has made it may have been lost. */
  const hasEnded = async (organization: string, reservation: Pending): Promise<boolean> => {
    const { progress } = replica;
    const patience = AbortSignal.any([signal, AbortSignal.timeout(reservationMs)]);
    try {
      while (replica.pending(organization) === reservation) {
        await progress.reached(progress.present + 1n, patience);
      }
      return true;
    } catch {
      return false;
    }
  };

  const join = (organization: string): Promise<void> => {
    let joined = running.get(organization);
    if (joined === undefined) {
      joined = work(organization).finally(() => running.delete(organization));
      running.set(organization, joined);
      // The next write, here or elsewhere, tries again.
      joined.catch(() => undefined);
    }
    return joined;
  };

  return {
    settle: (organization, waiting) => orAborted(join(organization), waiting),
    begin: (organization) => void join(organization),
  };
}
