/*
 * What one proxy may take up: the plugins of all its slots together, and their configurations. Slots get what they
 * ask for as long as there is room, in the order in which they ask; the others keep what they run.
 */
import type { Module } from "../modules/modules.ts";
import { isSelected } from "../catalog/reads/traffic.ts";
import { type CallerUse, tooLargeOfCaller, tooManyOfCaller } from "./caller-use.ts";
import type { Filter } from "./filter.ts";
import type { Slot } from "./slot.ts";
import type { SlotPlace } from "./slot-name.ts";
import type { WantedChain, WantedLink } from "./wanted-chains.ts";

/** How many plugins all slots of a proxy may run. */
export const maxPlugins = 20_000;

/** How many it may run or have been sent: while it changes all of them, twice as many. */
const maxHeldPlugins = 2 * maxPlugins;

/** How much their configurations may take together, in bytes. */
export const maxHeldBytes = 64 * 1024 * 1024;

const tooManyPlugins = `the slots of the proxy would run more than ${maxPlugins} plugins on one connection; attach fewer, or use several connections`;
const tooLarge =
  "the configurations in the slots of the proxy are too large for one connection; make them smaller, or use several connections";

/** A slot that shares what its proxy may take up. */
export interface SharingSlot {
  readonly slot: Slot;
  /** What should run in it by the chain as it was last; undefined before that is asked for. */
  share: Share | undefined;
}

/** What should run in a slot, as far as there is room for it. */
export interface Share {
  readonly of: WantedChain;
  readonly wanted: WantedChain;
  /** How many plugins it asks for, and how many it has got. */
  readonly needed: number;
  readonly taken: number;
}

/** The shares of the slots of a proxy. */
export class SlotShares<Open extends SharingSlot> {
  /** How many plugins should run in all slots. */
  #plugins = 0;
  /** The slots that have to wait until others take up less. */
  readonly #waiting = new Set<Open>();
  readonly #caller: CallerUse;
  readonly #wake: (open: Open) => void;
  readonly #wakeAll = (): void => {
    this.wake();
  };

  /** @param wake - is called for a slot that has waited, when there may be room for it */
  constructor(caller: CallerUse, wake: (open: Open) => void) {
    this.#caller = caller;
    this.#wake = wake;
  }

  /** What should run in a slot: nothing new if the slots of the proxy, together, ask for too much. */
  wantedIn(open: Open, place: SlotPlace, chain: WantedChain): WantedChain {
    const before = open.share;
    const others = this.#plugins - (before?.taken ?? 0);
    const isSame = before?.of === chain;
    if (isSame && (before.taken === before.needed || !this.#fits(before.needed, before))) {
      return before.wanted;
    }
    const wanted = linksFor(chain, place);
    const needed = wanted.links?.length ?? 0;
    const taken = this.#fits(needed, before) ? needed : 0;
    const problem = others + needed > maxPlugins ? tooManyPlugins : tooManyOfCaller;
    this.#plugins = others + taken;
    this.#caller.addPlugins(taken - (before?.taken ?? 0));
    if (taken < (before?.taken ?? 0)) {
      this.wake();
    }
    const share = {
      of: chain,
      wanted: taken === needed ? wanted : { ...wanted, links: undefined, problem },
      needed,
      taken,
    };
    open.share = share;
    return share.wanted;
  }

  /** Why a slot cannot have filters, with the modules that are sent in them, beside those of the others; undefined if it can. Then it waits for room. */
  problemWith(
    open: Open,
    added: readonly Filter[],
    modules: readonly Module[],
    all: Iterable<Open>,
  ): string | undefined {
    let count = added.length;
    // Those of earlier revisions are held by the slots alone.
    const filters = new Set(added);
    for (const other of all) {
      const { running, pending } = other.slot;
      for (const held of other === open ? [] : [running?.filters, pending?.filters]) {
        count += held?.length ?? 0;
        held?.forEach((filter) => filters.add(filter));
      }
    }
    const bytes = [...filters].reduce((sum, { size }) => sum + size, 0);
    const problem =
      count > maxHeldPlugins
        ? tooManyPlugins
        : bytes > maxHeldBytes
          ? tooLarge
          : this.#caller.isTooMuch(added, modules)
            ? tooLargeOfCaller
            : undefined;
    if (problem !== undefined) {
      this.#await(open);
    }
    return problem;
  }

  /** Lets a slot wait that has not got what it asks for. */
  wait(open: Open): void {
    if (open.share !== undefined && open.share.taken < open.share.needed) {
      this.#await(open);
    }
  }

  /** Waits for nothing more. */
  end(): void {
    this.#waiting.clear();
    this.#caller.stopWaiting(this.#wakeAll);
  }

  /** Whether there is room for plugins in the place of what a slot has now. */
  #fits(needed: number, before: Share | undefined): boolean {
    const { taken = 0 } = before ?? {};
    return this.#plugins - taken + needed <= maxPlugins && this.#caller.hasRoomFor(needed - taken);
  }

  #await(open: Open): void {
    this.#waiting.add(open);
    // Others of the caller may leave room.
    this.#caller.wait(this.#wakeAll);
  }

  /** There may be room now. */
  wake(): void {
    for (const open of this.#waiting) {
      this.#waiting.delete(open);
      this.#wake(open);
    }
  }

  /** Lets a slot wait no longer. */
  forget(open: Open): void {
    this.#waiting.delete(open);
  }

  /** A slot is closed. */
  leave(open: Open): void {
    this.#waiting.delete(open);
    const { taken = 0 } = open.share ?? {};
    this.#plugins -= taken;
    open.share = undefined;
    this.#caller.addPlugins(-taken);
    this.wake();
  }
}

/** The links of a chain that get some traffic. */
export function linksFor(
  { links, ...rest }: WantedChain,
  { traffic, phases }: Pick<SlotPlace, "traffic"> & { phases?: SlotPlace["phases"] },
): WantedChain {
  const isMeant = ({ match, phase }: WantedLink): boolean =>
    phases?.includes(phase) !== false && isSelected(match, traffic);
  return { ...rest, links: links?.filter(isMeant) };
}
