/* Removes pieces of commits that were never made, because their server ended before. */
import type { EtcdClient } from "./client.ts";
import type { Keys } from "./keys.ts";
import { pages } from "./pages.ts";
import { isAt, remove, transaction } from "./requests.ts";
import { untilAnswered } from "./until-answered.ts";

/** Removes pieces that nothing refers to. */
export interface Janitor {
  /** Looks at all pieces. Those that it has seen for long enough go, unless their organization has a pending commit. */
  sweep(now: number, signal: AbortSignal): Promise<void>;
}

/** A commit is sent right after its pieces; for how long they are left alone, in ms. */
const graceMs = 5 * 60_000;

/** Creates a janitor that has seen nothing yet. */
export function createJanitor(client: EtcdClient, keys: Keys): Janitor {
  let seenSince = new Map<string, number>();
  return {
    async sweep(now, signal) {
      const found = new Map<string, { readonly organization: string; readonly id: string }>();
      for await (const page of pages(client, keys.pieces, 0n, { keysOnly: true, signal })) {
        for (const { key } of page) {
          const of = keys.parse(key);
          if (of?.of === "piece") {
            found.set(`${of.organization} ${of.id}`, of);
          }
        }
      }
      seenSince = new Map([...found.keys()].map((name) => [name, seenSince.get(name) ?? now]));
      for (const [name, { organization, id }] of found) {
        if (now - (seenSince.get(name) ?? now) >= graceMs) {
          // Pieces are needed while their commit is pending. A commit that is made now checks that they exist.
          const condition = isAt(keys.pending(organization), 0n);
          const request = transaction([condition], [remove(keys.piecesOf(organization, id))]);
          await untilAnswered(client, request, signal);
        }
      }
    },
  };
}
