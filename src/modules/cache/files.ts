/* What all files of the cache need. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { messageOf } from "../../catalog/message-of.ts";
import { ModuleFault } from "../problem.ts";

/** How much is read and hashed at once, in bytes: about 0.2 ms, in which nothing else runs. */
const chunkBytes = 256 * 1024;

/** Reads bytes of a file; fewer at its end. */
export async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(bytes, read, length - read, offset + read);
    if (bytesRead === 0) {
      break;
    }
    read += bytesRead;
  }
  return bytes.subarray(0, read);
}

/** The sha256 of a file, in hex. It is computed in steps, so that others run in between. */
export async function sha256OfFile(file: FileHandle, size: number): Promise<string> {
  const hash = createHash("sha256");
  const chunk = Buffer.alloc(Math.min(chunkBytes, size));
  for (let offset = 0; offset < size;) {
    const { bytesRead } = await file.read(
      chunk,
      0,
      Math.min(chunk.byteLength, size - offset),
      offset,
    );
    if (bytesRead === 0) {
      return "";
    }
    hash.update(chunk.subarray(0, bytesRead));
    offset += bytesRead;
  }
  return hash.digest("hex");
}

/** Reads a file whole, and its sha256 in hex. */
export async function readHashed(
  file: FileHandle,
  size: number,
): Promise<{ bytes: Uint8Array; digest: string }> {
  const bytes = new Uint8Array(size);
  const hash = createHash("sha256");
  let read = 0;
  while (read < size) {
    const most = Math.min(chunkBytes, size - read);
    const { bytesRead } = await file.read(bytes, read, most, read);
    if (bytesRead === 0) {
      break;
    }
    hash.update(bytes.subarray(read, read + bytesRead));
    read += bytesRead;
  }
  return { bytes, digest: read === size ? hash.digest("hex") : "" };
}

/** The code of an error of the file system. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}

/** Tells whether a fault is that of a full disk. */
export function isFullDisk(fault: unknown): boolean {
  const { cause } = fault as { cause?: unknown };
  return cause !== undefined && /^(?:ENOSPC|EDQUOT)$/.test(codeOf(cause));
}

/** The fault of a file system. It names no path: those who read it may not know the server's. */
export function cacheFault(error: unknown): ModuleFault {
  if (error instanceof ModuleFault) {
    return error;
  }
  const code = codeOf(error);
  return new ModuleFault(
    "CACHE",
    /^(?:ENOSPC|EDQUOT)$/.test(code)
      ? "the disk of the server's module cache is full; make room, or move the cache with --module-cache"
      : `the server's module cache cannot be used (${code || messageOf(error)}); check the folder of --module-cache`,
    { cause: error },
  );
}
