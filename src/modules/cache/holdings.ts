/*
 * The modules that are in use. Their files are open, so that the bytes are there even when another server
 * removes the files.
 */
import type { FileHandle } from "node:fs/promises";
import { ModuleFault } from "../problem.ts";
import { readHashed } from "./files.ts";
import { chargeOf } from "./trim.ts";

/** A module in use. */
export interface HeldModule {
  /** The sha256 of its bytes, in hex. */
  readonly digest: string;
  readonly size: number;
  release(): void;
}

/** An open file of a module. */
export interface OpenModule {
  readonly digest: string;
  readonly size: number;
  readonly file: FileHandle;
}

/** The modules in use, by their sha256 in hex. */
export interface Holdings {
  has(digest: string): boolean;
  digests(): Iterable<string>;
  /** Raises a ModuleFault if an organization would hold too much with a module. */
  checkShare(digest: string, size: number, organization: string): void;
  /** Holds a module for an organization. The file is closed when nobody holds it. */
  hold(opened: OpenModule, organization: string): HeldModule;
  /** Holds what is held already; undefined if it is not. */
  holdAgain(digest: string, organization: string): HeldModule | undefined;
  /**
   * The bytes of a module; undefined if nobody holds it. Rejects with a DamagedModule if they are others, and
   * the module is no longer held then for those who come after.
   */
  read(digest: string): Promise<Uint8Array> | undefined;
  close(): Promise<void>;
}

/** Is raised when the bytes of a module are not those that its name says. */
export class DamagedModule extends ModuleFault {
  override name = "DamagedModule";

  constructor() {
    super(
      "CACHE",
      "the module in the server's module cache is damaged, and is fetched again; check the disk",
    );
  }
}

interface Holding extends OpenModule {
  /** How often each organization holds it. */
  readonly holders: Map<string, number>;
  /** How many hold or read it. */
  uses: number;
  /** What was read, as long as somebody has it. */
  bytes?: WeakRef<Uint8Array>;
  reading?: Promise<Uint8Array> | undefined;
}

/** @param maxBytes - the bound of the cache; an organization may hold half of it */
export function createHoldings(maxBytes: number): Holdings {
  const held = new Map<string, Holding>();

  /** Raises if an organization would hold too much with a module. */
  const checkShare = (digest: string, size: number, organization: string): void => {
    if (held.get(digest)?.holders.has(organization) === true) {
      return;
    }
    let share = chargeOf(size);
    for (const { holders, size: other } of held.values()) {
      share += holders.has(organization) ? chargeOf(other) : 0;
    }
    if (share > maxBytes / 2) {
      throw new ModuleFault(
        "CACHE",
        `the modules in use of the organization ${organization} would take more than half of the server's module cache; use fewer or smaller ones, or raise --module-cache-bytes`,
      );
    }
  };
  const leave = (holding: Holding): void => {
    holding.uses -= 1;
    if (holding.uses === 0) {
      if (held.get(holding.digest) === holding) {
        held.delete(holding.digest);
      }
      void holding.file.close().catch(() => undefined);
    }
  };
  const use = (holding: Holding, organization: string): HeldModule => {
    const { digest, size, holders } = holding;
    holding.uses += 1;
    holders.set(organization, (holders.get(organization) ?? 0) + 1);
    let isReleased = false;
    return {
      digest,
      size,
      release() {
        if (isReleased) {
          return;
        }
        isReleased = true;
        const others = (holders.get(organization) ?? 1) - 1;
        if (others === 0) {
          holders.delete(organization);
        } else {
          holders.set(organization, others);
        }
        leave(holding);
      },
    };
  };
  /** Holds what is open already, or what has just been opened. */
  const holdFile = (opened: OpenModule, organization: string): HeldModule => {
    // Others may have been held since the last check.
    checkShare(opened.digest, opened.size, organization);
    const other = held.get(opened.digest);
    if (other !== undefined) {
      void opened.file.close().catch(() => undefined);
      return use(other, organization);
    }
    const holding: Holding = { ...opened, holders: new Map(), uses: 0 };
    held.set(opened.digest, holding);
    return use(holding, organization);
  };

  const readHolding = async (holding: Holding): Promise<Uint8Array> => {
    holding.uses += 1;
    try {
      const bytes = await readOpen(holding);
      holding.bytes = new WeakRef(bytes);
      return bytes;
    } catch (error) {
      if (held.get(holding.digest) === holding) {
        held.delete(holding.digest);
      }
      throw error;
    } finally {
      holding.reading = undefined;
      leave(holding);
    }
  };

  return {
    has: (digest) => held.has(digest),
    digests: () => held.keys(),
    checkShare,
    hold: holdFile,
    holdAgain(digest, organization) {
      const holding = held.get(digest);
      if (holding === undefined) {
        return undefined;
      }
      checkShare(digest, holding.size, organization);
      return use(holding, organization);
    },
    read(digest) {
      const holding = held.get(digest);
      const known = holding?.bytes?.deref();
      if (holding === undefined || known !== undefined) {
        return known && Promise.resolve(known);
      }
      return (holding.reading ??= readHolding(holding));
    },
    async close() {
      await Promise.all([...held.values()].map(({ file }) => file.close().catch(() => undefined)));
      held.clear();
    },
  };
}

/** Reads a module, and checks that it is what its name says. */
export async function readOpen({ file, size, digest }: OpenModule): Promise<Uint8Array> {
  const { bytes, digest: found } = await readHashed(file, size);
  if (found !== digest) {
    throw new DamagedModule();
  }
  return bytes;
}
