/* Fields of protobuf that hold bytes: a tag, a length, and the bytes. */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** A field whose value is encoded already. Its number is up to 15, so that its tag is one byte. */
export interface DelimitedField {
  readonly number: number;
  readonly value: Uint8Array | readonly DelimitedField[];
}

const lengthDelimited = WireType.LengthDelimited;

/** Encodes fields, after bytes that come before them. */
export function encodeFields(
  fields: readonly DelimitedField[],
  head: Uint8Array = new Uint8Array(),
): Uint8Array {
  const bytes = new Uint8Array(head.byteLength + sizeOf(fields));
  bytes.set(head);
  writeFields(bytes, head.byteLength, fields);
  return bytes;
}

/** The values of a field in an encoded message, in order, as views of it. */
export function delimitedValues(bytes: Uint8Array, field: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const values: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === field && wireType === WireType.LengthDelimited) {
      values.push(reader.bytes());
    } else {
      reader.skip(wireType, number);
    }
  }
  return values;
}

function writeFields(bytes: Uint8Array, start: number, fields: readonly DelimitedField[]): number {
  let at = start;
  for (const { number, value } of fields) {
    bytes[at++] = (number << 3) | lengthDelimited;
    let rest = lengthOf(value);
    for (; rest >= 0x80; rest >>>= 7) {
      bytes[at++] = (rest & 0x7f) | 0x80;
    }
    bytes[at++] = rest;
    if (value instanceof Uint8Array) {
      bytes.set(value, at);
      at += value.byteLength;
    } else {
      at = writeFields(bytes, at, value);
    }
  }
  return at;
}

function sizeOf(fields: readonly DelimitedField[]): number {
  let size = 0;
  for (const { value } of fields) {
    const length = lengthOf(value);
    size += length + 2;
    for (let rest = length; rest >= 0x80; rest >>>= 7) {
      size++;
    }
  }
  return size;
}

function lengthOf(value: DelimitedField["value"]): number {
  return value instanceof Uint8Array ? value.byteLength : sizeOf(value);
}
