import { BinaryReader } from "@bufbuild/protobuf/wire";

/** An encoded message without some entries of a repeated field of strings. */
export function withoutEntries(
  bytes: Uint8Array,
  field: number,
  isKept: (entry: string) => boolean,
): Uint8Array {
  const reader = new BinaryReader(bytes);
  const parts: Uint8Array[] = [];
  let from = 0;
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, wireType] = reader.tag();
    if (number !== field) {
      reader.skip(wireType, number);
    } else if (!isKept(reader.string())) {
      parts.push(bytes.subarray(from, start));
      from = reader.pos;
    }
  }
  parts.push(bytes.subarray(from));
  return Buffer.concat(parts);
}
