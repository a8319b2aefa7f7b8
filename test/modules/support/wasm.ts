/* WebAssembly modules, byte by byte. */

/** How a module differs from one that a proxy can load. */
export interface WasmParts {
  /** Exported functions. */
  readonly functions?: readonly string[];
  /** The name under which the memory is exported, "" for none. */
  readonly memory?: string;
  /** The content of a custom section, which makes another module that does the same. */
  readonly variant?: string;
  /** Zeros in a custom section, to make it large. */
  readonly padding?: number;
}

export const neededFunctions = ["proxy_abi_version_0_2_1", "proxy_on_memory_allocate"];

/** Makes a module. */
export function wasm(parts: WasmParts = {}): Buffer {
  const { functions = neededFunctions, memory = "memory", variant = "", padding = 0 } = parts;
  const exports = functions.map((name, index) => [...text(name), 0, ...number(index)]);
  if (memory !== "") {
    exports.push([...text(memory), 2, 0]);
  }
  return Buffer.concat([
    header,
    section(1, [1, 0x60, 0, 0]),
    section(3, [...number(functions.length), ...functions.map(() => 0)]),
    section(5, [1, 0, 1]),
    section(7, [...number(exports.length), ...exports.flat()]),
    section(10, [...number(functions.length), ...functions.flatMap(() => [2, 0, 0x0b])]),
    section(0, [...text("variant"), ...Buffer.from(variant)]),
    ...(padding > 0
      ? [section(0, Buffer.concat([Buffer.from(text("pad")), Buffer.alloc(padding)]))]
      : []),
  ]);
}

export const header = Buffer.from("\0asm\x01\0\0\0", "latin1");

/** Makes a section. */
export function section(id: number, content: readonly number[] | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([id, ...number(bytes.byteLength)]), bytes]);
}

/** A number in LEB128. */
export function number(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...number(Math.floor(value / 0x80))];
}

/** A text with its length. */
export function text(value: string): number[] {
  const bytes = Buffer.from(value);
  return [...number(bytes.byteLength), ...bytes];
}
