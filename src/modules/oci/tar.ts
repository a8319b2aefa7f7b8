/*
 * Finds a file in a tar archive that is read once, without holding it.
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 */
import { basename } from "node:path/posix";

const blockBytes = 512;

/** Is raised for what is not an archive. */
export class MalformedArchive extends Error {
  override name = "MalformedArchive";
}

/**
 * Yields the content of the first regular file with a name, in whatever folder. The archive is read to its
 * end, so that all of it can be checked.
 *
 * @returns whether there is one
 */
export async function* fileInTar(
  archive: AsyncIterable<Buffer>,
  name: string,
): AsyncGenerator<Buffer, boolean> {
  let header = Buffer.alloc(0);
  /** How much of the file under way, and of the zeros after it, is still to come. */
  let rest = 0;
  let padding = 0;
  let isFound = false;
  let isDone = false;
  for await (const chunk of archive) {
    let offset = isDone ? chunk.byteLength : 0;
    while (offset < chunk.byteLength) {
      if (rest > 0) {
        const part = chunk.subarray(offset, offset + rest);
        offset += part.byteLength;
        rest -= part.byteLength;
        if (isFound) {
          yield part;
        }
      } else if (isFound) {
        isDone = true;
        break;
      } else if (padding > 0) {
        const skipped = Math.min(padding, chunk.byteLength - offset);
        offset += skipped;
        padding -= skipped;
      } else {
        const part = chunk.subarray(offset, offset + blockBytes - header.byteLength);
        header = Buffer.concat([header, part]);
        offset += part.byteLength;
        if (header.byteLength === blockBytes) {
          const entry = entryOf(header);
          header = Buffer.alloc(0);
          rest = entry.size;
          padding = (blockBytes - (entry.size % blockBytes)) % blockBytes;
          isFound = entry.isFile && basename(entry.name) === name;
        }
      }
    }
  }
  if (rest > 0 || header.byteLength > 0) {
    throw new MalformedArchive("it is cut off");
  }
  return isFound;
}

interface Entry {
  readonly name: string;
  readonly size: number;
  readonly isFile: boolean;
}

function entryOf(header: Buffer): Entry {
  // Blocks of zeros end the archive.
  if (header.every((byte) => byte === 0)) {
    return { name: "", size: 0, isFile: false };
  }
  if (sumOf(header) !== octal(header, 148, 8)) {
    throw new MalformedArchive("a header has a wrong checksum");
  }
  const type = String.fromCharCode(header[156] ?? 0);
  return {
    name: header.toString("utf8", 0, 100).replace(/\0.*$/s, ""),
    size: octal(header, 124, 12),
    isFile: type === "0" || type === "\0",
  };
}

/** The sum of all bytes, with spaces in place of the sum itself. */
function sumOf(header: Buffer): number {
  return header.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}

function octal(header: Buffer, start: number, length: number): number {
  const text = header
    .toString("latin1", start, start + length)
    .replace(/[\0 ]+$/, "")
    .trim();
  if (!/^[0-7]*$/.test(text)) {
    throw new MalformedArchive("a header has a number that is not valid");
  }
  return text === "" ? 0 : Number.parseInt(text, 8);
}
