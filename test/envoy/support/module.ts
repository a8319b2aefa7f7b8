/* The test module, assembled from modules/chain.wat, whose head says what its configuration does. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import wabt from "wabt";

/** A module in binary form. */
export interface TestModule {
  readonly bytes: Buffer;
  /** Of the bytes, in lower-case hex. */
  readonly sha256: string;
}

const source = new URL("../modules/chain.wat", import.meta.url);

const assembled = assemble();

/** The id of a section that has no effect. */
const customSection = Buffer.from([0]);

/**
 * The test module. Variants of different names do the same and have different bytes; `padding` makes one
 * larger by about so many bytes.
 */
export async function testModule(variant = "", padding = 0): Promise<TestModule> {
  const content = Buffer.concat([lengthPrefixed(Buffer.from(variant)), Buffer.alloc(padding)]);
  const isPlain = variant === "" && padding === 0;
  const parts = [await assembled, ...(isPlain ? [] : [customSection, lengthPrefixed(content)])];
  const bytes = Buffer.concat(parts);
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** How a module can be one that no proxy can run, though it is WebAssembly with the exports of Proxy-Wasm. */
export type Flaw =
  | "traps when it is loaded"
  | "traps when its VM starts"
  | "imports what is not there"
  | "has invalid code";

/** A variant of the test module with a flaw. */
export async function flawedModule(flaw: Flaw): Promise<Buffer> {
  const text = await readFile(source, "utf8");
  const initialize = '(func (export "_initialize")';
  const vmStart =
    '(func (export "proxy_on_vm_start") (param $context i32) (param $size i32) (result i32)';
  const inserted = (after: string, code: string): Promise<Buffer> =>
    assemble(text.replace(after, (found) => `${found} ${code}`));
  switch (flaw) {
    case "traps when it is loaded":
      return inserted(initialize, "unreachable");
    case "traps when its VM starts":
      return assemble(
        text.replace(vmStart, (found) => `${found} (unreachable)) (func ${parameters}`),
      );
    case "imports what is not there":
      return inserted("(module", '(import "env" "no_such_function" (func))');
    case "has invalid code": {
      const bytes = await inserted(initialize, "(drop (i32.const 123456))");
      // Instead of `drop`, `nop` leaves a number behind.
      const constant = Buffer.from([0x41, 0xc0, 0xc4, 0x07, 0x1a]);
      bytes[bytes.indexOf(constant) + 4] = 0x01;
      return bytes;
    }
  }
}

const parameters = "(param $context i32) (param $size i32) (result i32)";

async function assemble(text?: string): Promise<Buffer> {
  const toolkit = await wabt();
  const module = toolkit.parseWat(source.pathname, text ?? (await readFile(source)));
  try {
    return Buffer.from(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

/** Bytes after their number in LEB128. */
function lengthPrefixed(bytes: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ;) {
    const low = rest & 0x7f;
    rest >>>= 7;
    length.push(rest > 0 ? low | 0x80 : low);
    if (rest === 0) {
      return Buffer.concat([Buffer.from(length), bytes]);
    }
  }
}
