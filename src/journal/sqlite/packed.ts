/** Rows whose bytes lie in one buffer, which goes from thread to thread without being copied. */
export interface Packed<Row, Field extends keyof Row> {
  readonly rows: readonly Omit<Row, Field>[];
  readonly bytes: Uint8Array;
  /** Where the bytes of each row end. */
  readonly ends: Uint32Array;
}

/** Packs rows. */
export function pack<Row extends object, Field extends keyof Row>(
  rows: readonly Row[],
  field: Field,
): Packed<Row, Field> {
  const parts = rows.map((row) => row[field] as Uint8Array);
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  const ends = new Uint32Array(parts.length);
  let end = 0;
  for (const [index, part] of parts.entries()) {
    bytes.set(part, end);
    end += part.byteLength;
    ends[index] = end;
  }
  return { rows: rows.map((row) => ({ ...row, [field]: undefined })), bytes, ends };
}

/** Unpacks rows. The bytes of each are a view of the buffer; copy them to keep them. */
export function* unpack<Row extends object, Field extends keyof Row>(
  { rows, bytes, ends }: Packed<Row, Field>,
  field: Field,
): Generator<Row, void> {
  let begin = 0;
  for (const [index, row] of rows.entries()) {
    const end = ends[index] ?? begin;
    const unpacked = row as Row;
    unpacked[field] = bytes.subarray(begin, end) as Row[Field];
    yield unpacked;
    begin = end;
  }
}
