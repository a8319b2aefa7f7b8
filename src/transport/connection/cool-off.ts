/*
 * Addresses that a flood has come from. A flood costs most while its connection lasts, and a client that is cut
 * off connects again at once; so the next connections from its address wait before they are served, one after the
 * other. Those that are open already are not affected, whoever has opened them.
 */
import type { Socket } from "node:net";

/** How long the connections of an address wait after its first flood in a row, and at most, in ms. */
export const coolOffMs = { first: 500, most: 4_000 };

/** How long after its last flood an address is forgotten, in ms. */
const forgottenAfterMs = 60_000;

/** How long a connection that has waited is looked at before the next one is served, in ms. */
const stepMs = 20;

/** How many addresses are remembered. */
const maxAddresses = 10_000;

/** The addresses that floods have come from. */
export interface CoolOff {
  /** Says that a flood has come from an address. */
  add(address: string): void;
  /** Serves a connection when its address has cooled off. */
  admit(socket: Socket, serve: () => void): void;
}

interface Flooder {
  floods: number;
  /** When its next connection is served. */
  opensAt: number;
  lastFloodAt: number;
  readonly waiting: Set<() => void>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Creates an empty record.
 *
 * @param now - milliseconds since any fixed time
 */
export function createCoolOff(now: () => number): CoolOff {
  const flooders = new Map<string, Flooder>();

  function wait(flooder: Flooder): void {
    flooder.timer ??= setTimeout(
      () => {
        flooder.timer = undefined;
        const [next] = flooder.waiting;
        if (next !== undefined && now() >= flooder.opensAt) {
          flooder.waiting.delete(next);
          flooder.opensAt = now() + stepMs;
          next();
        }
        if (flooder.waiting.size > 0) {
          wait(flooder);
        }
      },
      Math.max(1, flooder.opensAt - now()),
    );
  }

  function forgetOld(): void {
    for (const [address, { lastFloodAt, waiting }] of flooders) {
      const isOld = now() - lastFloodAt > forgottenAfterMs || flooders.size > maxAddresses;
      if (!isOld || waiting.size > 0) {
        break;
      }
      flooders.delete(address);
    }
  }

  return {
    add(address) {
      const at = now();
      const before = flooders.get(address);
      const flooder = before ?? {
        floods: 0,
        opensAt: 0,
        lastFloodAt: at,
        waiting: new Set(),
        timer: undefined,
      };
      flooder.floods = at - flooder.lastFloodAt > forgottenAfterMs ? 1 : flooder.floods + 1;
      flooder.lastFloodAt = at;
      flooder.opensAt = at + Math.min(coolOffMs.first * 2 ** (flooder.floods - 1), coolOffMs.most);
      // The oldest comes first.
      flooders.delete(address);
      flooders.set(address, flooder);
      forgetOld();
    },
    admit(socket, serve) {
      const flooder = flooders.get(socket.remoteAddress ?? "");
      const isHot = flooder !== undefined && (flooder.waiting.size > 0 || now() < flooder.opensAt);
      if (!isHot || now() - flooder.lastFloodAt > forgottenAfterMs) {
        serve();
        return;
      }
      const next = (): void => {
        socket.off("close", leave);
        socket.off("error", leave);
        serve();
      };
      const leave = (): void => {
        flooder.waiting.delete(next);
      };
      flooder.waiting.add(next);
      socket.once("close", leave);
      socket.once("error", leave);
      wait(flooder);
    },
  };
}
