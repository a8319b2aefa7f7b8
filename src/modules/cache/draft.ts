/* A module that is being written. It is in a file of its own until all of it is there and checked. */
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { ModuleFault } from "../problem.ts";
import { cacheFault, readAt } from "./files.ts";

/** A module that is being written. */
export interface Draft {
  readonly size: number;
  readonly path: string;
  readonly file: FileHandle;
  /** Adds bytes. Rejects with a ModuleFault if the module becomes too large, or the disk is full. */
  write(chunk: Uint8Array): Promise<void>;
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The sha256 of what was written, in hex; nothing can be written after it. */
  digest(): string;
  /** Removes the file, unless it was kept. */
  discard(): Promise<void>;
}

/** Begins a module, in a folder for drafts. */
export async function beginDraft(folder: string, maxBytes: number): Promise<Draft> {
  const path = join(folder, randomUUID());
  const file = await open(path, "wx+", 0o600);
  const hash = createHash("sha256");
  let size = 0;
  let digest: string | undefined;
  return {
    path,
    file,
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
    read: (offset, length) => readAt(file, offset, length),
    digest: () => (digest ??= hash.digest("hex")),
    async discard() {
      await file.close().catch(() => undefined);
      await rm(path, { force: true }).catch(() => undefined);
    },
  };
}
