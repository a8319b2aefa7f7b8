/*
 * A file that lines are appended to, by several at once.
 *
 * 1. A line is kept until all of it is written. After a failure it is tried again with the next one; what
 *    was written before the failure is not written again, unless it could not be flushed.
 * 2. A line that could be written only in part is ended by a line break, and then written again.
 * 3. Lines that come while others are written are written and flushed together.
 * 4. When the file has been moved away, as by a rotation, lines go to a new one at its path.
 */
import { close, constants, fdatasync, fstat, open, read, stat, write } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/** Where lines are appended. */
export interface LineFile {
  /** Resolves when the line is written. Rejects if it cannot be; it is tried again later. */
  append(line: string): Promise<void>;
  /** Writes what could not be written before. Rejects if it cannot be yet. */
  flush(): Promise<void>;
  /** How much is not yet written, in bytes. */
  readonly unwrittenBytes: number;
  close(): Promise<void>;
}

/** Options of a file of lines. */
export interface LineFileOptions {
  /** The path of the file, or `-` for standard output. */
  readonly path: string;
  /** Whether what is written is flushed to the disk. */
  readonly isSync: boolean;
}

/** Opens a file of lines; creates it if it does not exist. Rejects if it cannot be opened. */
export async function openLineFile(options: LineFileOptions): Promise<LineFile> {
  let file = await openFile(options);
  const unwritten: Buffer[] = [];
  let unwrittenBytes = 0;
  let current: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  async function writeBatch(): Promise<void> {
    const batch = [...unwritten];
    if (batch.length === 0) {
      return;
    }
    file = await reopened(file, options);
    let written = 0;
    try {
      await writeLines(file, batch, () => written++);
    } catch (error) {
      forget(written);
      throw error;
    }
    await flushFile(file);
    forget(batch.length);
  }

  /** Forgets the first lines, which have been written. */
  function forget(count: number): void {
    for (const { byteLength } of unwritten.splice(0, count)) {
      unwrittenBytes -= byteLength;
    }
  }

  function flush(): Promise<void> {
    next ??= current.then(() => {
      next = undefined;
      const batch = writeBatch();
      current = batch.catch(() => undefined);
      return batch;
    });
    return next;
  }

  return {
    get unwrittenBytes() {
      return unwrittenBytes;
    },
    append(line) {
      const bytes = Buffer.from(`${line}\n`);
      unwritten.push(bytes);
      unwrittenBytes += bytes.byteLength;
      return flush();
    },
    flush,
    async close() {
      await flush().catch(() => undefined);
      if (file.path !== standardOutput) {
        await calls.close(file.descriptor);
      }
    },
  };
}

/** A file that is open. */
interface OpenFile extends LineFileOptions {
  readonly descriptor: number;
  readonly device: number;
  readonly inode: number;
  /** Whether the last line of the file has no end. */
  isCut: boolean;
}

const standardOutput = "-";

const calls = {
  close: promisify(close),
  fdatasync: promisify(fdatasync),
  fstat: promisify(fstat),
  open: promisify(open),
  read: promisify(read),
  stat: promisify(stat),
  write: promisify(write),
};

async function openFile({ path, isSync }: LineFileOptions): Promise<OpenFile> {
  if (path === standardOutput) {
    return { path, isSync, descriptor: 1, device: 0, inode: 0, isCut: false };
  }
  // A pipe that is full must not hold the thread that writes: a process does not end before its threads do.
  const flags = constants.O_APPEND | constants.O_CREAT | constants.O_RDWR | constants.O_NONBLOCK;
  const descriptor = await calls.open(path, flags, 0o600);
  try {
    const found = await calls.fstat(descriptor);
    const isCut =
      found.isFile() && found.size > 0 && !(await endsWithBreak(descriptor, found.size));
    if (isSync && found.isFile() && found.size === 0) {
      await flushFolder(dirname(path));
    }
    return { path, isSync, descriptor, device: found.dev, inode: found.ino, isCut };
  } catch (error) {
    await calls.close(descriptor);
    throw error;
  }
}

async function endsWithBreak(descriptor: number, size: number): Promise<boolean> {
  const last = Buffer.alloc(1);
  await calls.read(descriptor, last, 0, 1, size - 1);
  return last[0] === lineBreak;
}

const lineBreak = 0x0a;

/** A new file is on the disk once the folder that names it is. */
async function flushFolder(path: string): Promise<void> {
  const descriptor = await calls.open(path, constants.O_RDONLY);
  try {
    await flushToDisk(descriptor);
  } finally {
    await calls.close(descriptor);
  }
}

/** The file, or a new one if it is no longer at its path. */
async function reopened(file: OpenFile, options: LineFileOptions): Promise<OpenFile> {
  if (file.path === standardOutput) {
    return file;
  }
  const found = await calls.stat(file.path).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") {
      return undefined;
    }
    throw error;
  });
  if (found?.ino === file.inode && found.dev === file.device) {
    return file;
  }
  const opened = await openFile(options);
  await calls.close(file.descriptor);
  return opened;
}

/** Calls `onWritten` for each line that has been written as a whole. */
async function writeLines(
  file: OpenFile,
  lines: readonly Buffer[],
  onWritten: () => void,
): Promise<void> {
  const head = file.isCut ? [Buffer.of(lineBreak)] : [];
  const bytes = Buffer.concat([...head, ...lines]);
  let written = 0;
  let [next, end] = [0, head.length];
  let fullSince: number | undefined;
  while (written < bytes.byteLength) {
    const bytesWritten = await writePart(file.descriptor, bytes.subarray(written));
    if (bytesWritten > 0) {
      written += bytesWritten;
      file.isCut = bytes[written - 1] !== lineBreak;
      fullSince = undefined;
      for (let line; (line = lines[next]) && end + line.byteLength <= written; next++) {
        end += line.byteLength;
        onWritten();
      }
      continue;
    }
    fullSince ??= performance.now();
    if (performance.now() - fullSince > maxFullMs) {
      throw new Error("it is a pipe that nobody reads, and it is full");
    }
    await delay(fullPipeMs);
  }
}

async function flushFile({ isSync, descriptor }: OpenFile): Promise<void> {
  if (isSync) {
    await flushToDisk(descriptor);
  }
}

/** How long a pipe that is full is left alone, and when it counts as one that nobody reads, in ms. */
const fullPipeMs = 10;
const maxFullMs = 1_000;

/** Returns how much was written; 0 if a pipe is full. */
async function writePart(descriptor: number, bytes: Buffer): Promise<number> {
  try {
    return (await calls.write(descriptor, bytes)).bytesWritten;
  } catch (error) {
    if (codeOf(error) !== "EAGAIN") {
      throw error;
    }
    return 0;
  }
}

/** Pipes and devices have nothing to flush, and say so. */
async function flushToDisk(descriptor: number): Promise<void> {
  try {
    await calls.fdatasync(descriptor);
  } catch (error) {
    if (!["EINVAL", "ENOTSUP"].includes(codeOf(error) ?? "")) {
      throw error;
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
