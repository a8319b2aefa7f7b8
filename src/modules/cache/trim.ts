/* Removes what has not been used for the longest time, so that the cache stays within its bound. */
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** What a file takes at least, in bytes: many small files fill a disk too. */
const leastCharge = 64 * 1024;

/** How old a draft is at least that nobody writes any more, in ms. */
const staleDraftMs = 10 * 60_000;

/** How much is left of the bound after files were removed, so that not each new file removes one. */
const headroom = 0.9;

/** The folders of a cache. */
export interface Folders {
  /** The modules, by their sha256. */
  readonly modules: string;
  /** The records of sources, by their keys. */
  readonly sources: string;
  readonly drafts: string;
}

/** What a file counts for, in bytes. */
export function chargeOf(size: number): number {
  return Math.max(size, leastCharge);
}

/**
 * Removes the files that were used least recently until the others fit. Returns what is left, in bytes.
 * Another server may do the same at the same time.
 *
 * @param isInUse - tells by its name whether a file has to stay
 */
export async function trim(
  folders: Folders,
  maxBytes: number,
  isInUse: (name: string) => boolean,
): Promise<number> {
  await removeStaleDrafts(folders.drafts);
  const files = [...(await filesIn(folders.modules)), ...(await filesIn(folders.sources))];
  let total = files.reduce((sum, { size }) => sum + chargeOf(size), 0);
  if (total <= maxBytes) {
    return total;
  }
  for (const { path, name, size } of files.toSorted((one, other) => one.usedAt - other.usedAt)) {
    if (total <= maxBytes * headroom) {
      break;
    }
    if (!isInUse(name) && (await remove(path))) {
      total -= chargeOf(size);
    }
  }
  return total;
}

async function removeStaleDrafts(folder: string): Promise<void> {
  for (const { path, usedAt } of await filesIn(folder)) {
    if (Date.now() - usedAt > staleDraftMs) {
      await remove(path);
    }
  }
}

/** Removes a file; false if that is not possible. */
async function remove(path: string): Promise<boolean> {
  return rm(path, { force: true }).then(
    () => true,
    () => false,
  );
}

interface File {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly usedAt: number;
}

async function filesIn(folder: string): Promise<File[]> {
  const files: File[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    try {
      const found = await lstat(path);
      if (found.isFile()) {
        files.push({ name, path, size: found.size, usedAt: found.mtimeMs });
      }
    } catch {
      // Another server has removed it.
    }
  }
  return files;
}
