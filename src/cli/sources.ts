import { createReadStream } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { formatDiagnostic } from "../yaml/diagnostic.ts";
import { enoughDiagnostics, readObjects, type SourcedObject } from "../yaml/read.ts";
import { Failure } from "./failure.ts";
import { createProgress } from "./progress.ts";
import { readBounded, TooLargeError } from "./read-bounded.ts";
import type { Shell } from "./shell.ts";

/** The name of standard input. */
const standardInput = "-";

/** The greatest size of a file, in bytes: files are kept in memory. */
export const maxFileBytes = 256 * 1024 * 1024;

const documentName = /\.(?:ya?ml|json)$/i;

/** Parses `-f FILE`, one after the other. */
export function filesArgument(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/**
 * Reads the objects of files, of folders with all that is in them, and of standard input.
 *
 * Raises a Failure that names everything that cannot be read, and every duplicate object.
 */
export async function readSources(
  shell: Shell,
  sources: readonly string[],
): Promise<SourcedObject[]> {
  let problems: string[] = [];
  let objects: SourcedObject[] = [];
  const progress = createProgress(shell, (done) => `read ${done} documents`);
  for (const { name, read } of await filesOf(shell, sources, problems)) {
    if (problems.length > enoughDiagnostics) {
      break;
    }
    const text = await read().then(decode, (error: unknown) => explain(error));
    if (typeof text !== "string") {
      problems.push(`${name}: ${text.problem}`);
      continue;
    }
    const found = readObjects(name, text, () => {
      progress.advance();
    });
    objects = objects.concat(found.objects);
    problems = problems.concat(found.diagnostics.map(formatDiagnostic));
  }
  progress.end();
  problems = problems.concat(duplicatesIn(objects));
  if (problems.length > 0) {
    throw new Failure(firstOf(problems));
  }
  if (objects.length === 0) {
    throw new Failure(
      `there are no objects in ${sources.join(", ")}; write documents with apiVersion, kind, metadata and spec into .yaml, .yml or .json files`,
    );
  }
  return objects;
}

function firstOf(problems: readonly string[]): readonly string[] {
  return problems.length > enoughDiagnostics
    ? [...problems.slice(0, enoughDiagnostics), "and more problems; solve these first"]
    : problems;
}

interface Source {
  readonly name: string;
  readonly read: () => Promise<Buffer>;
}

async function filesOf(
  shell: Shell,
  sources: readonly string[],
  problems: string[],
): Promise<Source[]> {
  const files: Source[] = [];
  for (const source of sources) {
    if (source === standardInput) {
      files.push({ name: "stdin", read: () => shell.readInput(maxFileBytes) });
      continue;
    }
    try {
      const isFolder = (await stat(source)).isDirectory();
      const names = isFolder ? await documentsIn(source) : [source];
      files.push(
        ...names.map((name) => ({
          name,
          read: () => readBounded(createReadStream(name), maxFileBytes),
        })),
      );
    } catch (error) {
      const { path = source } = error as NodeJS.ErrnoException;
      problems.push(`${path}: ${explain(error).problem}`);
    }
  }
  return files;
}

/**
 * The files in a folder and its subfolders, by name. Names that begin with a dot, and anything but regular
 * files, are left out. A link to an enclosing folder is not followed.
 */
async function documentsIn(folder: string, within: readonly string[] = []): Promise<string[]> {
  const names: string[] = [];
  const real = await realpath(folder);
  if (within.includes(real)) {
    return names;
  }
  for (const entry of (await readdir(folder)).toSorted()) {
    if (entry.startsWith(".")) {
      continue;
    }
    const path = join(folder, entry);
    const isDocument = documentName.test(entry);
    // A broken link is an error only if its name is that of a document.
    const kind = await (isDocument ? stat(path) : stat(path).catch(() => undefined));
    if (kind?.isDirectory() === true) {
      names.push(...(await documentsIn(path, [...within, real])));
    } else if (isDocument && kind?.isFile() === true) {
      names.push(path);
    }
  }
  return names;
}

function duplicatesIn(objects: readonly SourcedObject[]): string[] {
  const first = new Map<string, SourcedObject>();
  return objects.flatMap((object) => {
    const other = first.get(object.fqn);
    if (other === undefined) {
      first.set(object.fqn, object);
      return [];
    }
    const { file, line } = other.position;
    const message = `${object.fqn} is a duplicate of ${file}:${line}; keep one of the two`;
    return [formatDiagnostic({ ...object.position, field: "", message })];
  });
}

interface Unreadable {
  readonly problem: string;
}

function decode(bytes: Buffer): string | Unreadable {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { problem: "is not UTF-8 text; convert it" };
  }
}

const explanations: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder; check the name",
  EACCES: "permission denied; check its permissions",
};

function explain(error: unknown): Unreadable {
  if (error instanceof TooLargeError) {
    return { problem: `is larger than ${maxFileBytes / 1024 / 1024} MiB; split it` };
  }
  const { code = "", message } = error as NodeJS.ErrnoException;
  return { problem: explanations[code] ?? `cannot be read: ${message}` };
}
