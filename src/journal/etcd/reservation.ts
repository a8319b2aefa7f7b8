/*
 * Reservations, for writes that other servers overtake again and again, as happens to a server that is far
 * away from etcd.
 *
 * 1. A reservation is a pending commit without pieces: one that is yet to be made. The organization has no other
 *    commit until it ends, and it ends with the commit.
 * 2. It compares no head, so it takes one round trip, whatever else is committed meanwhile.
 * 3. One that is held for too long ends without a commit, because its server may have been lost. A server that
 *    knows no reservations carries it out, which ends it at once.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { EtcdPendingSchema } from "../../../gen/wasmext/stored/v1/etcd_pb.ts";
import type { EtcdClient } from "./client.ts";
import type { Keys } from "./keys.ts";
import type { Pending } from "./pending.ts";
import { orAborted } from "./progress.ts";
import type { Replica } from "./replica.ts";
import { isAt, put, remove, transaction } from "./requests.ts";
import { untilAnswered } from "./until-answered.ts";

/** For how long other servers leave a reservation alone, in ms. */
export const reservationMs = 2_000;

/** Tells whether what is pending is a reservation. */
export function isReservation({ pending }: Pending): boolean {
  return pending.pieces === 0;
}

/** The reservation that a write may make. */
export interface Reservation {
  /** The revision of its key, as far as the store knows; 0 if it is not there. */
  readonly revision: bigint;
  /** Makes it, unless something is pending; resolves when the store knows. The signal ends the waiting. */
  make(signal: AbortSignal): Promise<void>;
  /** Ends it, if its commit has not. */
  end(): Promise<void>;
}

/**
 * Creates a reservation that has not been made.
 *
 * @param signal - ends all requests
 */
export function createReservation(
  client: EtcdClient,
  keys: Keys,
  replica: Replica,
  organization: string,
  signal: AbortSignal,
): Reservation {
  const key = keys.pending(organization);
  let revision = 0n;
  let making: Promise<bigint> | undefined;

  /** The revision of the reservation; 0 if it was not made. */
  const request = async (): Promise<bigint> => {
    const value = toBinary(EtcdPendingSchema, create(EtcdPendingSchema));
    const reserve = transaction([isAt(key, 0n)], [put(key, value)]);
    const { succeeded, header } = await untilAnswered(client, reserve, signal);
    return succeeded ? (header?.revision ?? 0n) : 0n;
  };

  return {
    get revision() {
      return replica.pending(organization)?.revision === revision ? revision : 0n;
    },
    async make(waiting) {
      making = request();
      revision = await orAborted(making, waiting);
      await replica.progress.reached(revision, waiting);
    },
    async end() {
      const made = await making;
      if (made !== undefined && made > 0n) {
        await untilAnswered(client, transaction([isAt(key, made)], [remove(key)]), signal);
      }
    },
  };
}
