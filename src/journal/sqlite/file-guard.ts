import { statSync } from "node:fs";

/** Is raised if a file is no longer at its path. */
export class FileGone extends Error {}

/** Notices when open files are removed or replaced. */
export interface FileGuard {
  /**
   * Raises a FileGone if a path no longer leads to the file that it led to at first. SQLite goes on writing
   * to files that have been removed, and what it writes is lost when the server ends.
   */
  check(): void;
}

/** Creates a guard. A file that does not exist yet is guarded once it does. */
export function createFileGuard(paths: readonly string[]): FileGuard {
  const known = new Map<string, string>();
  return {
    check() {
      for (const path of paths) {
        const before = known.get(path);
        const now = identityOf(path);
        if (before === undefined) {
          if (now !== undefined) {
            known.set(path, now);
          }
        } else if (now !== before) {
          throw new FileGone(
            `${path} has been ${now === undefined ? "removed" : "replaced"}; put it back, or restart the server`,
          );
        }
      }
    },
  };
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}
