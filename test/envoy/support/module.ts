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

async function assemble(): Promise<Buffer> {
  const toolkit = await wabt();
  const module = toolkit.parseWat(source.pathname, await readFile(source));
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
