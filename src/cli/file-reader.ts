import { closeSync, openSync, readSync, statSync } from "node:fs";
import { Failure } from "./failure.ts";

/** Most that is read of a file, in bytes: tokens and certificates are short. */
const maxBytes = 1024 * 1024;

/**
 * Creates a function that returns what a file holds, and reads it again when the file has changed. A file
 * that cannot be read any more, as in the middle of a replacement, keeps what it held before; a pipe is
 * read once.
 *
 * The function raises a Failure if the file cannot be read at first, or `parse` refuses what it holds.
 *
 * @param option - the option that names the file
 * @param parse - raises a Failure
 */
export function createFileReader<Content>(
  { option, path }: { readonly option: string; readonly path: string },
  parse: (bytes: Buffer) => Content,
): () => Content {
  let last: { readonly version: string; readonly content: Content } | undefined;
  return () => {
    try {
      const version = versionOf(path);
      if (last?.version !== version) {
        last = { version, content: parse(readFile(path)) };
      }
    } catch (error) {
      if (last === undefined) {
        throw error instanceof Failure
          ? error
          : new Failure(`the file of ${option} cannot be read: ${(error as Error).message}`);
      }
    }
    return last.content;
  };
}

/** Differs when a file has been written or replaced. */
function versionOf(path: string): string {
  const found = statSync(path, { bigint: true });
  return found.isFile() ? [found.dev, found.ino, found.size, found.mtimeNs].join(" ") : "pipe";
}

function readFile(path: string): Buffer {
  const descriptor = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(maxBytes);
    let length = 0;
    for (let read = -1; read !== 0 && length < maxBytes; length += read) {
      read = readSync(descriptor, bytes, length, maxBytes - length, null);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}
