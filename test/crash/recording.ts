/*
 * What a process has written to the files of a folder, call by call, as strace saw it; and what a power
 * cut at any moment may leave of it.
 *
 * After a cut there is what was synced. What was written and not synced is there or not, for each sector on
 * its own, in any order. A file that was created or removed is so for sure when its folder was synced.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** A call that has returned. */
interface Call {
  /** When it returned, in ms since 1970. */
  readonly at: number;
  readonly name: string;
  /** The path that it was about. */
  readonly path: string;
  readonly data: Buffer;
  readonly offset: number;
}

/** What may be there of what was not synced. */
export type Unsynced = "nothing" | "everything" | "any sectors";

/** A disk keeps or loses as much as this at once, in bytes. */
const sectorBytes = 512;

/** The arguments of strace that record what a command does to files in a folder. */
export function straceArguments(log: string, folder: string, names: readonly string[]): string[] {
  const traced = ["openat", "pwrite64", "write", "fsync", "fdatasync", "ftruncate", "unlink"];
  const paths = [folder, ...names.map((name) => join(folder, name))];
  return [
    ...["-f", "-ttt", "-T", "-y", "-xx", "-s", "100000000", "-o", log],
    ...["-e", `trace=${traced.join(",")}`],
    ...paths.flatMap((path) => ["-P", path]),
  ];
}

/** Reads what strace has recorded. */
export function readRecording(log: string): Call[] {
  const unfinished = new Map<string, string>();
  return readFileSync(log, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, thread = "", time = "", text = ""] = /^(\d+) +([\d.]+) (.*)$/.exec(line) ?? [];
      if (text.endsWith(" <unfinished ...>")) {
        unfinished.set(thread, `${time} ${text.slice(0, -" <unfinished ...>".length)}`);
        return [];
      }
      const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text);
      if (resumed === null) {
        return parse(Number(time), text);
      }
      const [begun = "", ...rest] = (unfinished.get(thread) ?? "").split(" ");
      return parse(Number(begun), rest.join(" ") + (resumed[1] ?? ""));
    });
}

function parse(time: number, text: string): Call[] {
  const [, name = "", parameters = "", result = "", took = "0"] =
    /^(\w+)\((.*)\) += (-?\d+)[^<]*(?:<[\\x0-9a-f]*>)?(?: <([\d.]+)>)?$/.exec(text) ?? [];
  if (name === "" || Number(result) < 0) {
    return [];
  }
  const strings = [...parameters.matchAll(/["<]((?:\\x[0-9a-f]{2})*)[">]/g)].map(([, hex = ""]) =>
    Buffer.from(hex.replaceAll("\\x", ""), "hex"),
  );
  const at = (time + Number(took)) * 1000;
  const numbers = parameters.split(", ").map(Number);
  const [first = Buffer.of(), second = Buffer.of()] = strings;
  switch (name) {
    case "openat":
      // Only the creation of a file is of interest.
      return parameters.includes("O_CREAT")
        ? [{ at, name, path: second.toString(), data: Buffer.of(), offset: 0 }]
        : [];
    case "pwrite64":
      return [{ at, name, path: first.toString(), data: second, offset: numbers.at(-1) ?? 0 }];
    case "fsync":
    case "fdatasync":
    case "unlink":
      return [{ at, name, path: first.toString(), data: Buffer.of(), offset: 0 }];
    case "ftruncate":
      return [{ at, name, path: first.toString(), data: Buffer.of(), offset: numbers.at(-1) ?? 0 }];
    default:
      throw new Error(`${name} was not expected`);
  }
}

/** A file while a recording is played. */
interface Played {
  /** What is on the disk. */
  readonly synced: Content;
  /** What has been done since. */
  pending: Call[];
  /** Whether it is there: for sure, or as the process sees it. */
  existsSynced: boolean;
  exists: boolean;
}

/** Writes into a folder what a power cut at a moment leaves of a recording. */
export function cutAt(calls: readonly Call[], at: number, unsynced: Unsynced, into: string): void {
  const files = new Map<string, Played>();
  const fileOf = (path: string): Played => {
    const file = files.get(path) ?? {
      synced: createContent(),
      pending: [],
      existsSynced: false,
      exists: false,
    };
    files.set(path, file);
    return file;
  };
  for (const call of calls) {
    if (call.at > at) {
      continue;
    }
    switch (call.name) {
      case "openat":
        fileOf(call.path).exists = true;
        break;
      case "unlink":
        fileOf(call.path).exists = false;
        break;
      case "fsync":
      case "fdatasync":
        if (files.has(call.path)) {
          const file = fileOf(call.path);
          file.pending.forEach(file.synced.change);
          file.pending = [];
        } else {
          // The folder.
          for (const file of files.values()) {
            file.existsSynced = file.exists;
          }
        }
        break;
      default:
        fileOf(call.path).pending.push(call);
    }
  }
  const happens = (): boolean =>
    unsynced === "any sectors" ? Math.random() < 0.5 : unsynced === "everything";
  mkdirSync(into, { recursive: true });
  for (const [path, file] of files) {
    const exists = file.exists === file.existsSynced || happens() ? file.exists : file.existsSynced;
    if (exists) {
      file.pending.flatMap(sectorsOf).filter(happens).forEach(file.synced.change);
      writeFileSync(join(into, basename(path)), file.synced.bytes());
    }
  }
}

/** The content of a file. */
interface Content {
  readonly change: (call: Call) => void;
  readonly bytes: () => Buffer;
}

function createContent(): Content {
  let buffer = Buffer.alloc(1024 * 1024);
  let size = 0;
  const resize = (next: number): void => {
    if (next > buffer.byteLength) {
      buffer = Buffer.concat([buffer, Buffer.alloc(next)]);
    }
    buffer.fill(0, Math.min(size, next), size);
    size = next;
  };
  return {
    change({ name, offset, data }) {
      if (name === "ftruncate") {
        resize(offset);
        return;
      }
      resize(Math.max(size, offset + data.byteLength));
      data.copy(buffer, offset);
    },
    bytes: () => buffer.subarray(0, size),
  };
}

/** A write as writes of single sectors. */
function sectorsOf(call: Call): Call[] {
  if (call.name === "ftruncate") {
    return [call];
  }
  const parts: Call[] = [];
  for (let begin = 0; begin < call.data.byteLength;) {
    const offset = call.offset + begin;
    const end = Math.min(call.data.byteLength, begin + sectorBytes - (offset % sectorBytes));
    parts.push({ ...call, data: call.data.subarray(begin, end), offset });
    begin = end;
  }
  return parts;
}
