/*
 * Tells whether a file is a WebAssembly module that a proxy can load. The file is not compiled, since its
 * author may be hostile and compilers are large: the sections are walked through, and the exports read.
 * https://webassembly.github.io/spec/core/binary/modules.html
 */
import { ModuleFault } from "../problem.ts";
import { createCursor, type Cursor, MalformedModule } from "./cursor.ts";

/** Something that can be read at any place. */
export interface Readable {
  readonly size: number;
  /** Reads bytes; fewer at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** The greatest export section, in bytes. */
export const maxExportBytes = 256 * 1024;
/** The greatest number of sections. */
export const maxSections = 10_000;

const headerBytes = 8;
/** A byte for the kind of a section, five for its size. */
const maxSectionHead = 6;
/** The longest name of an export that is looked at. */
const maxNameBytes = 64;
const exportSection = 7;
const lastSection = 13;
const [functionKind, memoryKind] = [0, 2];

/** The versions of the interface that Envoy knows. */
const abiVersions = [
  "proxy_abi_version_0_1_0",
  "proxy_abi_version_0_2_0",
  "proxy_abi_version_0_2_1",
];

/** Exports by name, with their kinds. */
type Exports = ReadonlyMap<string, number>;

/** Checks a file. Rejects with a ModuleFault, NOT_WASM or NO_PROXY_WASM. */
export async function inspectModule(file: Readable): Promise<void> {
  await checkHeader(file);
  let exports: Exports;
  try {
    exports = await exportsOf(file);
  } catch (error) {
    if (error instanceof MalformedModule) {
      throw notWasm(
        `the file is not a valid WebAssembly module: ${error.message}; build or upload it again`,
      );
    }
    throw error;
  }
  checkExports(exports);
}

async function checkHeader(file: Readable): Promise<void> {
  const head = Buffer.from(await file.read(0, headerBytes));
  const start = head.toString("hex");
  if (start === "0061736d01000000") {
    return;
  }
  if (/^0061736d....0100$/.test(start)) {
    throw notWasm(
      "the file is a WebAssembly component, and proxies load modules; build a core module, for example for wasm32-wasip1",
    );
  }
  throw notWasm(
    start.startsWith("0061736d")
      ? "the file is WebAssembly of a version that proxies do not load; build it for version 1"
      : `the file is not WebAssembly${guess(start)}; upload the .wasm file itself`,
  );
}

/** What a file is that is not WebAssembly, by how it begins. */
function guess(start: string): string {
  if (start === "") {
    return " but empty";
  }
  const known: readonly (readonly [string, string])[] = [
    ["7f454c46", " but precompiled for a machine"],
    ["1f8b", " but a gzip archive"],
    ["504b", " but a zip archive"],
    ["28b52ffd", " but a zstd archive"],
    ["3c", " but a page in HTML or XML"],
    ["7b", " but JSON"],
    ["286d", " but its text form (.wat)"],
  ];
  const [, kind = ""] = known.find(([magic]) => start.startsWith(magic)) ?? [];
  return kind;
}

async function exportsOf(file: Readable): Promise<Exports> {
  let exports: Exports | undefined;
  let offset = headerBytes;
  for (let count = 0; offset < file.size; count++) {
    if (count === maxSections) {
      throw new MalformedModule(`it has more than ${maxSections} sections`);
    }
    const cursor = createCursor(await file.read(offset, maxSectionHead));
    const id = cursor.byte();
    const size = cursor.number();
    if (id > lastSection) {
      throw new MalformedModule(`it has a section of the unknown kind ${id}`);
    }
    offset += cursor.offset;
    if (offset + size > file.size) {
      throw new MalformedModule("it is cut off");
    }
    if (id === exportSection) {
      if (exports !== undefined) {
        throw new MalformedModule("it has two export sections");
      }
      if (size > maxExportBytes) {
        throw new MalformedModule(`its export section has more than ${maxExportBytes / 1024} KiB`);
      }
      exports = readExports(createCursor(await file.read(offset, size)));
    }
    offset += size;
  }
  return exports ?? new Map();
}

/** The exports with names that may matter: there can be as many others as the section has room for. */
function readExports(cursor: Cursor): Exports {
  const exports = new Map<string, number>();
  const count = cursor.number();
  for (let index = 0; index < count; index++) {
    const name = cursor.bytes(cursor.number());
    const kind = cursor.byte();
    cursor.number();
    if (name.byteLength <= maxNameBytes) {
      exports.set(Buffer.from(name).toString("latin1"), kind);
    }
  }
  if (!cursor.isAtEnd) {
    throw new MalformedModule("its export section is longer than its exports");
  }
  return exports;
}

function checkExports(exports: Exports): void {
  const has = (name: string, kind: number): boolean => exports.get(name) === kind;
  if (!abiVersions.some((name) => has(name, functionKind))) {
    const other = [...exports.keys()].find(
      (name) => /^proxy_abi_version_\w{1,20}$/.test(name) && !abiVersions.includes(name),
    );
    throw noProxyWasm(
      other === undefined
        ? "the module exports no function proxy_abi_version_0_2_1 (or _0_2_0, _0_1_0); build it with a Proxy-Wasm SDK"
        : `the module exports ${other}, which proxies do not know; build it for proxy_abi_version_0_2_1, 0_2_0 or 0_1_0`,
    );
  }
  if (!has("memory", memoryKind)) {
    throw noProxyWasm("the module exports no memory; export it under the name memory");
  }
  if (!has("proxy_on_memory_allocate", functionKind) && !has("malloc", functionKind)) {
    throw noProxyWasm(
      "the module exports no function proxy_on_memory_allocate or malloc, which proxies hand data over with; build it with a Proxy-Wasm SDK",
    );
  }
}

function notWasm(message: string): ModuleFault {
  return new ModuleFault("NOT_WASM", message);
}

function noProxyWasm(message: string): ModuleFault {
  return new ModuleFault("NO_PROXY_WASM", message);
}
