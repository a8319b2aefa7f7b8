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
import { cacheFault, codeOf, sha256OfFile } from "./files.ts";
import { createHoldings, DamagedModule, type HeldModule, readOpen } from "./holdings.ts";
import { readRecord, type SourceRecord, writeRecord } from "./records.ts";
import { chargeOf, type Folders, trim } from "./trim.ts";

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

export function createModuleCache({ folder, maxBytes, maxModuleBytes }: CacheOptions): ModuleCache {
  const folders: Folders = {
    modules: join(folder, "modules"),
    sources: join(folder, "sources"),
    drafts: join(folder, "drafts"),
  };
  const holdings = createHoldings(maxBytes);
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
    holdings.has(name.replace(/\.wasm$/, "")) || protectedKeys.has(name.replace(/\.json$/, ""));
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
    for (const digest of holdings.digests()) {
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
      holdings.checkShare(digest, size, organization);
      try {
        await file.sync();
        await rename(path, pathOf(digest));
      } catch (error) {
        throw cacheFault(error);
      }
      const module = holdings.hold({ digest, size, file }, organization);
      await add(size).catch(() => undefined);
      return module;
    },
    async hold(digest, organization) {
      const held = holdings.holdAgain(digest, organization);
      if (held !== undefined) {
        return held;
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
        const module = holdings.hold({ digest, ...opened }, organization);
        await touch(pathOf(digest));
        return module;
      } catch (error) {
        await opened.file.close().catch(() => undefined);
        throw cacheFault(error);
      }
    },
    async read(digest) {
      try {
        const held = holdings.read(digest);
        if (held !== undefined) {
          return await held;
        }
        const opened = await openFile(digest);
        if (opened === undefined) {
          throw new ModuleFault("CACHE", `the server's module cache does not have ${digest}`);
        }
        return await readOpen({ digest, ...opened }).finally(() => opened.file.close());
      } catch (error) {
        if (error instanceof DamagedModule) {
          await rm(pathOf(digest), { force: true }).catch(() => undefined);
        }
        throw cacheFault(error);
      }
    },
    async makeRoom() {
      await trimOnce(total / 2).catch(() => undefined);
    },
    async close() {
      clearInterval(upkeep);
      await trimming?.catch(() => undefined);
      await holdings.close();
    },
  };
}
