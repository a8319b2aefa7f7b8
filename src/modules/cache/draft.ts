/*
 * A module that is being written. It is in a file of its own until all of it is there and checked. The file
 * is made with the first bytes, since most looks at a tag bring none.
 */
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { ModuleFault } from "../problem.ts";
import { cacheFault, readAt } from "./files.ts";

/** A module that is being written. */
export interface Draft {
  readonly size: number;
  readonly path: string;
  /** The file; undefined while nothing has been written. */
  readonly file: FileHandle | undefined;
  /** Adds bytes. Rejects with a ModuleFault if the module becomes too large, or the disk is full. */
  write(chunk: Uint8Array): Promise<void>;
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The sha256 of what was written, in hex; nothing can be written after it. */
  digest(): string;
  /** Removes the file, unless it was kept. */
  discard(): Promise<void>;
}

/**
 * Begins a module.
 *
 * @param folder - where drafts are
 * @param prepare - makes the folder
 */
export function beginDraft(folder: string, maxBytes: number, prepare: () => Promise<void>): Draft {
  const path = join(folder, randomUUID());
  let file: FileHandle | undefined;
  const hash = createHash("sha256");
  let size = 0;
  let digest: string | undefined;
  return {
    path,
    get file() {
      return file;
    },
    get size() {
      return size;
    },
    async write(chunk) {
      if (size + chunk.byteLength > maxBytes) {
        throw new ModuleFault(
          "TOO_LARGE",
          `the module has more than ${maxBytes} bytes; make it smaller, or raise --max-module-bytes`,
        );
      }
      hash.update(chunk);
      try {
        if (file === undefined) {
          await prepare();
          file = await open(path, "wx+", 0o600);
        }
        for (let written = 0; written < chunk.byteLength;) {
          const rest = chunk.subarray(written);
          const { bytesWritten } = await file.write(rest, 0, rest.byteLength, size + written);
          written += bytesWritten;
        }
      } catch (error) {
        throw cacheFault(error);
      }
      size += chunk.byteLength;
    },
    read: async (offset, length) =>
      file === undefined ? new Uint8Array() : readAt(file, offset, length),
    digest: () => (digest ??= hash.digest("hex")),
    async discard() {
      if (file === undefined) {
        return;
      }
      await file.close().catch(() => undefined);
      await rm(path, { force: true }).catch(() => undefined);
    },
  };
}
