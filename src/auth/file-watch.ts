/*
 * Detects changes of files by polling. Files that are mounted into a container change when a link above them
 * is swapped, which the system's notifications of file changes miss.
 */
import { stat } from "node:fs/promises";

/** The options of a file watch. */
export interface FileWatchOptions {
  /** The time between polls, in ms. Default: 200. */
  readonly intervalMs?: number;
}

const defaultIntervalMs = 200;

/**
 * Calls back when any of some files has changed, once it has stayed the same for one interval: a file that
 * is being written is left alone until it is whole. A file that is missing counts as one that changes when
 * it comes back. The watch does not keep the process alive. Returns a function that ends it.
 *
 * @param before - what `stampOf` said before the files were read
 */
export function watchFiles(
  paths: readonly string[],
  before: string,
  onChange: () => void | Promise<void>,
  { intervalMs = defaultIntervalMs }: FileWatchOptions = {},
): () => void {
  let [handled, seen] = [before, before];
  let isEnded = false;
  let timer: ReturnType<typeof setTimeout>;
  const look = async (): Promise<void> => {
    const stamp = await stampOf(paths);
    const isStable = stamp === seen;
    seen = stamp;
    if (isStable && stamp !== handled && !isEnded) {
      handled = stamp;
      await onChange();
    }
  };
  const schedule = (): void => {
    if (!isEnded) {
      timer = setTimeout(() => void look().finally(schedule), intervalMs).unref();
    }
  };
  schedule();
  return () => {
    isEnded = true;
    clearTimeout(timer);
  };
}

/** A stamp of files, which differs after any of them has changed. Take it before the files are read. */
export async function stampOf(paths: readonly string[]): Promise<string> {
  const stamps = paths.map(async (path) => {
    try {
      const found = await stat(path, { bigint: true });
      const { dev, ino, size, mtimeNs, ctimeNs } = found;
      // A pipe changes when it is read, and has nothing more to say then.
      return found.isFile() ? [dev, ino, size, mtimeNs, ctimeNs].join(" ") : "not a file";
    } catch {
      return "missing";
    }
  });
  return (await Promise.all(stamps)).join("\n");
}
