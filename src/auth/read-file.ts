/*
 * Reads the files that options of the server name: keys, certificates, grants. What is read is bounded in
 * bytes and in time, for a path may lead to a pipe that nobody writes to, or to a device without an end.
 * No thread waits for a pipe: a process does not end before its threads do.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** Greatest size of TLS files and password files, in bytes. */
export const maxFileBytes = 1024 * 1024;

/** How long a pipe may be silent, in ms, and how often it is looked at. */
const silenceMs = 5_000;
const retryMs = 20;

/** Limits of a file. */
export interface ReadLimits {
  /** Default: `maxFileBytes`. */
  readonly maxBytes?: number;
  /** How long a pipe may be silent, in ms. Default: 5 s. */
  readonly silenceMs?: number;
}

/** Reads a file, or a pipe to its end. Rejects with an Error that says what is wrong. */
export async function readFileBounded(path: string, limits: ReadLimits = {}): Promise<Buffer> {
  const { maxBytes = maxFileBytes } = limits;
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const isFile = (await file.stat()).isFile();
    const chunks: Buffer[] = [];
    let bytes = 0;
    for (;;) {
      // A pipe that nobody has opened for writing yet reads as ended.
      const isEmptyPipe = !isFile && bytes === 0;
      const chunk = await readChunk(file, isEmptyPipe, limits.silenceMs ?? silenceMs);
      if (chunk.byteLength === 0) {
        return Buffer.concat(chunks);
      }
      bytes += chunk.byteLength;
      if (bytes > maxBytes) {
        throw new Error(`it has more than ${maxBytes / 1024} KiB`);
      }
      chunks.push(chunk);
    }
  } finally {
    await file.close();
  }
}

/** Reads what there is next; nothing at the end. */
async function readChunk(
  file: FileHandle,
  isEmptyPipe: boolean,
  maxSilenceMs: number,
): Promise<Buffer> {
  for (const begunAt = performance.now(); performance.now() - begunAt < maxSilenceMs;) {
    const chunk = await readNow(file);
    if (chunk !== undefined && (chunk.byteLength > 0 || !isEmptyPipe)) {
      return chunk;
    }
    await delay(retryMs);
  }
  throw new Error(`it is a pipe, and nothing has come through it for ${maxSilenceMs / 1000} s`);
}

/** Reads what there is; undefined if there may be more later. */
async function readNow(file: FileHandle): Promise<Buffer | undefined> {
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024));
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") {
      return undefined;
    }
    throw error;
  }
}
