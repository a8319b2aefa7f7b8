/*
 * What all proxies of one caller take up together. A caller may have a thousand connections, and what one
 * connection may take up would fill the memory of the server a thousand times over.
 */
import { tooManySlotsOfCaller } from "../catalog/errors.ts";
import type { Module } from "../modules/modules.ts";
import type { Filter } from "./filter.ts";

/** How many slots all proxies of a caller may ask for. */
export const maxCallerSlots = 20_000;

/** Length of all their names together, in characters. */
const maxCallerNames = maxCallerSlots * 1_024;

/** How many plugins may run in all of them. */
export const maxCallerPlugins = 1_000_000;

/**
 * How much the configurations of these plugins may take, and the modules that are on the way to proxies, in
 * bytes; proxies share what is the same.
 */
export const maxCallerBytes = 256 * 1024 * 1024;

export const tooManyOfCaller = `the proxies of the caller would run more than ${maxCallerPlugins} plugins on this server; attach fewer, or give proxies credentials of their own`;
export const tooLargeOfCaller =
  "the configurations of all proxies of the caller, and the modules on the way to them, are too large; make them smaller, or give proxies credentials of their own";

/** How often proxies that wait look again, in ms: there may be a thousand, and each looks at all its slots. */
const wakeMs = 100;

/** The use of a caller. */
export class CallerUse {
  readonly name: string;
  #slots = 0;
  #names = 0;
  #plugins = 0;
  #bytes = 0;
  /** How often lists are held, and in how many of those lists a filter is. */
  readonly #lists = new Map<readonly Filter[], number>();
  readonly #filters = new Map<Filter, number>();
  /** How often modules are on the way, by digest. */
  readonly #modules = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  /** How many proxies it has. */
  proxies = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Adds a slot. Raises a CatalogError of the kind too-many if there is no room for it. */
  addSlot(name: string): void {
    if (this.#slots >= maxCallerSlots || this.#names + name.length > maxCallerNames) {
      throw tooManySlotsOfCaller(this.name, maxCallerSlots);
    }
    this.#slots++;
    this.#names += name.length;
  }

  removeSlot(name: string): void {
    this.#slots--;
    this.#names -= name.length;
  }

  /** Whether there is room for more plugins. */
  hasRoomFor(plugins: number): boolean {
    return this.#plugins + plugins <= maxCallerPlugins;
  }

  /** Adds plugins, or takes out a negative number of them. */
  addPlugins(plugins: number): void {
    this.#plugins += plugins;
    if (plugins < 0) {
      this.#wake();
    }
  }

  /** Whether filters and modules would take too much beside those that are held. */
  isTooMuch(filters: readonly Filter[], modules: readonly Module[]): boolean {
    const sizes = [
      ...filters.filter((filter) => !this.#filters.has(filter)),
      ...modules.filter(({ digest }) => !this.#modules.has(digest)),
    ];
    const added = sizes.reduce((sum, { size }) => sum + size, 0);
    return added > 0 && this.#bytes + added > maxCallerBytes;
  }

  /** Holds other lists than before. */
  hold(before: readonly (readonly Filter[])[], after: readonly (readonly Filter[])[]): void {
    after.forEach((list) => {
      this.#add(list);
    });
    before.forEach((list) => {
      this.#remove(list);
    });
  }

  /** Holds a module that is on its way to a proxy. */
  addModule({ digest, size }: Module): void {
    const uses = this.#modules.get(digest) ?? 0;
    this.#modules.set(digest, uses + 1);
    this.#bytes += uses === 0 ? size : 0;
  }

  removeModule({ digest, size }: Module): void {
    const uses = this.#modules.get(digest) ?? 0;
    if (uses > 1) {
      this.#modules.set(digest, uses - 1);
    } else {
      this.#modules.delete(digest);
      this.#bytes -= size;
      this.#wake();
    }
  }

  /** Whether no module is on its way. */
  get sendsNothing(): boolean {
    return this.#modules.size === 0;
  }

  /** Calls back once when there may be room. */
  wait(wake: () => void): void {
    this.#waiting.add(wake);
  }

  stopWaiting(wake: () => void): void {
    this.#waiting.delete(wake);
  }

  #add(list: readonly Filter[]): void {
    const count = this.#lists.get(list) ?? 0;
    this.#lists.set(list, count + 1);
    for (const filter of count === 0 ? list : []) {
      const uses = this.#filters.get(filter) ?? 0;
      this.#filters.set(filter, uses + 1);
      this.#bytes += uses === 0 ? filter.size : 0;
    }
  }

  #remove(list: readonly Filter[]): void {
    const count = this.#lists.get(list) ?? 0;
    if (count > 1) {
      this.#lists.set(list, count - 1);
      return;
    }
    this.#lists.delete(list);
    const before = this.#bytes;
    for (const filter of list) {
      const uses = this.#filters.get(filter) ?? 0;
      if (uses > 1) {
        this.#filters.set(filter, uses - 1);
      } else {
        this.#filters.delete(filter);
        this.#bytes -= filter.size;
      }
    }
    if (this.#bytes < before) {
      this.#wake();
    }
  }

  #wake(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      waiting.forEach((wake) => {
        wake();
      });
    }, wakeMs).unref();
  }
}
