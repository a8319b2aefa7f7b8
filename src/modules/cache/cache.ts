/*
 * The modules on disk, by the sha256 of their bytes, and what each source had when it was fetched last.
 *
 * 1. A file has its name when all of it is on the disk: it is written under another name, and renamed. So
 *    the process may be killed at any time, and several servers may use one folder.
 * 2. What is read is checked against its name; what does not match is removed.
 * 3. A module in use is open, so that its bytes are there even when another server removes its file.
 * 4. An organization may hold half of the cache, so that one cannot take all of it from the others.
 */
import { type FileHandle, mkdir, open, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { ModuleFault } from "../problem.ts";
import { beginDraft, type Draft } from "./draft.ts";
import { cacheFault, codeOf, readHashed, sha256OfFile } from "./files.ts";
import { readRecord, type SourceRecord, writeRecord } from "./records.ts";
import { chargeOf, type Folders, trim } from "./trim.ts";

/** A module in use. */
export interface HeldModule {
  /** The sha256 of its bytes, in hex. */
  readonly digest: string;
  readonly size: number;
  release(): void;
}

/** The modules on disk. What it raises is a ModuleFault. */
export interface ModuleCache {
  /** What a source had; undefined if that is not known. The record stays while it is followed. */
  recall(key: string): Promise<SourceRecord | undefined>;
  remember(key: string, record: SourceRecord): Promise<void>;
  /** Keeps the record of a source from being removed, until the function that it returns is called. */
  protect(key: string): () => void;
  /** Begins a module. */
  begin(): Draft;
  /** Adds a module that is complete and checked, and holds it. The draft is used up. */
  keep(draft: Draft, organization: string): Promise<HeldModule>;
  /** Holds a module; undefined if it is not there, or damaged. */
  hold(digest: string, organization: string): Promise<HeldModule | undefined>;
  /** The bytes of a module; the same object while somebody has it. Rejects if it is not there or damaged. */
  read(digest: string): Promise<Uint8Array>;
  /** Removes half of what is not in use: the disk is full. Never rejects. */
  makeRoom(): Promise<void>;
  close(): Promise<void>;
}

export interface CacheOptions {
  /** It is made when it is first needed. */
  readonly folder: string;
  /** How much the modules may take, in bytes. */
  readonly maxBytes: number;
  /** The greatest module, in bytes. */
  readonly maxModuleBytes: number;
}

/** How often the cache is trimmed, and what is in use marked as such for other servers, in ms. */
const upkeepMs = 10 * 60_000;

/** An open module. */
interface Holding {
  readonly digest: string;
  readonly size: number;
  readonly file: FileHandle;
  /** How often each organization holds it. */
  readonly holders: Map<string, number>;
  /** How many hold or read it. */
  uses: number;
  bytes?: WeakRef<Uint8Array>;
  reading?: Promise<Uint8Array> | undefined;
}

export function createModuleCache({ folder, maxBytes, maxModuleBytes }: CacheOptions): ModuleCache {
  const folders: Folders = {
    modules: join(folder, "modules"),
    sources: join(folder, "sources"),
    drafts: join(folder, "drafts"),
  };
  const held = new Map<string, Holding>();
  const protectedKeys = new Map<string, number>();
  /** What the files take, as far as this server knows, in bytes. */
  let total = 0;
  let opening: Promise<void> | undefined;
  let trimming: Promise<void> | undefined;
  let upkeep: NodeJS.Timeout | undefined;
  const pathOf = (digest: string): string => join(folders.modules, `${digest}.wasm`);

  const makeFolders = async (): Promise<void> => {
    for (const path of [folders.modules, folders.sources, folders.drafts]) {
      await mkdir(path, { recursive: true, mode: 0o700 });
    }
  };
  const isInUse = (name: string): boolean =>
    held.has(name.replace(/\.wasm$/, "")) || protectedKeys.has(name.replace(/\.json$/, ""));
  const trimOnce = (most = maxBytes): Promise<void> =>
    (trimming ??= trim(folders, most, isInUse)
      .then((left) => {
        total = left;
      })
      .finally(() => {
        trimming = undefined;
      }));
  const ready = (): Promise<void> => {
    opening ??= (async () => {
      await makeFolders();
      await trimOnce();
      upkeep = setInterval(() => void maintain().catch(() => undefined), upkeepMs).unref();
    })().catch((error: unknown) => {
      opening = undefined;
      throw cacheFault(error);
    });
    return opening;
  };
  const touch = async (path: string): Promise<void> => {
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
  };
  const maintain = async (): Promise<void> => {
    for (const digest of held.keys()) {
      await touch(pathOf(digest));
    }
    await trimOnce();
  };
  const add = async (size: number): Promise<void> => {
    total += chargeOf(size);
    if (total > maxBytes) {
      await trimOnce();
    }
  };

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
  const holdFile = (
    opened: Omit<Holding, "holders" | "uses">,
    organization: string,
  ): HeldModule => {
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

  const openFile = async (
    digest: string,
  ): Promise<{ file: FileHandle; size: number } | undefined> => {
    // A digest becomes a path.
    if (!/^[0-9a-f]{64}$/.test(digest)) {
      return undefined;
    }
    await ready();
    try {
      const file = await open(pathOf(digest), "r");
      const { size } = await file.stat();
      if (size <= maxModuleBytes) {
        return { file, size };
      }
      await file.close();
      return undefined;
    } catch (error) {
      if (codeOf(error) === "ENOENT") {
        return undefined;
      }
      throw cacheFault(error);
    }
  };
  const readHolding = async (holding: Holding): Promise<Uint8Array> => {
    const { file, size, digest } = holding;
    holding.uses += 1;
    try {
      const { bytes, digest: found } = await readHashed(file, size);
      if (found !== digest) {
        if (held.get(digest) === holding) {
          held.delete(digest);
        }
        await rm(pathOf(digest), { force: true });
        throw damaged();
      }
      holding.bytes = new WeakRef(bytes);
      return bytes;
    } catch (error) {
      throw cacheFault(error);
    } finally {
      holding.reading = undefined;
      leave(holding);
    }
  };

  return {
    async recall(key) {
      await ready();
      return readRecord(folders.sources, key);
    },
    async remember(key, record) {
      await ready();
      try {
        await writeRecord(folders.sources, folders.drafts, key, record);
        await add(0);
      } catch (error) {
        throw cacheFault(error);
      }
    },
    protect(key) {
      protectedKeys.set(key, (protectedKeys.get(key) ?? 0) + 1);
      return () => {
        const others = (protectedKeys.get(key) ?? 1) - 1;
        if (others === 0) {
          protectedKeys.delete(key);
        } else {
          protectedKeys.set(key, others);
        }
      };
    },
    begin: () =>
      beginDraft(folders.drafts, maxModuleBytes, async () => {
        await ready();
        // The folder may have been removed since.
        await makeFolders();
      }),
    async keep(draft, organization) {
      const { file, size, path } = draft;
      const digest = draft.digest();
      if (file === undefined) {
        throw new Error("nothing has been written");
      }
      checkShare(digest, size, organization);
      try {
        await file.sync();
        await rename(path, pathOf(digest));
      } catch (error) {
        throw cacheFault(error);
      }
      const module = holdFile({ digest, size, file }, organization);
      await add(size).catch(() => undefined);
      return module;
    },
    async hold(digest, organization) {
      const holding = held.get(digest);
      if (holding !== undefined) {
        checkShare(digest, holding.size, organization);
        return use(holding, organization);
      }
      const opened = await openFile(digest);
      if (opened === undefined) {
        return undefined;
      }
      try {
        if ((await sha256OfFile(opened.file, opened.size)) !== digest) {
          await rm(pathOf(digest), { force: true });
          await opened.file.close();
          return undefined;
        }
        const module = holdFile({ digest, ...opened }, organization);
        await touch(pathOf(digest));
        return module;
      } catch (error) {
        await opened.file.close().catch(() => undefined);
        throw cacheFault(error);
      }
    },
    async read(digest) {
      const holding = held.get(digest);
      if (holding !== undefined) {
        const known = holding.bytes?.deref();
        return known ?? (holding.reading ??= readHolding(holding));
      }
      const opened = await openFile(digest);
      if (opened === undefined) {
        throw new ModuleFault("CACHE", `the server's module cache does not have ${digest}`);
      }
      return readHolding({ digest, ...opened, holders: new Map(), uses: 0 });
    },
    async makeRoom() {
      await trimOnce(total / 2).catch(() => undefined);
    },
    async close() {
      clearInterval(upkeep);
      await trimming?.catch(() => undefined);
      await Promise.all([...held.values()].map(({ file }) => file.close().catch(() => undefined)));
      held.clear();
    },
  };
}

function damaged(): ModuleFault {
  return new ModuleFault(
    "CACHE",
    "the module in the server's module cache is damaged, and is fetched again; check the disk",
  );
}
