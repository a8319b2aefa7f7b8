/*
 * The size of values in memory, in bytes, estimated from their shape. The constants were measured on V8
 * without pointer compression, as Node is built; bench/weight.ts compares estimates with the heap.
 */

const word = 8;
/** A map, a hash and a length. */
const stringHeader = 2 * word;
const arrayHeader = 4 * word;
const elementsHeader = 2 * word;
/** A typed array and its buffer. */
const bytesHeader = 200;
/** A number that is not a small integer is an object on the heap. */
const heapNumber = 2 * word;
const bigint = 3 * word;
const objectHeader = 3 * word;
/** The least number of fields that a message has room for. */
const minFields = 7;
/** The number of keys that a new record has room for. */
const minKeys = 4;
/** The greatest number of keys of a record with a hidden class; with more it is a hash table. */
const maxFastKeys = 16;
/** A property of a record whose hidden class is shared. */
const sharedKey = 10;
/** A property of a record whose hidden class is not shared, with its part of that class. */
const ownKey = 145;
/** An entry of a hash table that is half empty. */
const hashedKey = 7 * word;

/** Estimates the size of a value in memory, in bytes, with what it shares with others. */
export function weigh(value: unknown): number {
  switch (typeof value) {
    case "string":
      return weighString(value);
    case "number":
      return (value | 0) === value ? 0 : heapNumber;
    case "bigint":
      return bigint;
    case "object":
      return value === null ? 0 : weighObject(value);
    default:
      return 0;
  }
}

/** Estimates the size of a byte array in memory, in bytes. */
export function weighBytes(bytes: Uint8Array): number {
  return bytesHeader + bytes.byteLength;
}

/** Strings of these characters take one byte for each; other strings take two. */
const oneByte = /^[\0-\xff]*$/;

function weighString(text: string): number {
  if (text.length <= 1) {
    return 0;
  }
  const bytes = text.length * (oneByte.test(text) ? 1 : 2);
  return stringHeader + Math.ceil(bytes / word) * word;
}

function weighObject(value: object): number {
  if (value instanceof Uint8Array) {
    return weighBytes(value);
  }
  if (Array.isArray(value)) {
    const elements = value.length === 0 ? 0 : elementsHeader + value.length * word;
    return value.reduce<number>((sum, item) => sum + weigh(item), arrayHeader + elements);
  }
  return "$typeName" in value ? weighMessage(value) : weighRecord(value);
}

/** Messages of a type share their keys and the name of the type. */
function weighMessage(message: object): number {
  let weight = objectHeader;
  let fields = 0;
  for (const [key, value] of Object.entries(message)) {
    fields++;
    weight += key === "$typeName" ? 0 : weigh(value);
  }
  return weight + Math.max(fields, minFields) * word;
}

/** An object of a Struct, or a map. */
function weighRecord(record: object): number {
  const entries = Object.entries(record);
  let weight = objectHeader + minKeys * word;
  for (const [, value] of entries) {
    weight += weigh(value);
  }
  if (isOfRecentShape(Object.keys(record))) {
    return weight + Math.max(0, entries.length - minKeys) * sharedKey;
  }
  const place = entries.length <= maxFastKeys ? ownKey : hashedKey;
  for (const [key] of entries) {
    weight += place + weighString(key);
  }
  return weight;
}

/*
 * Records with the same keys share a hidden class, and then take a third of the memory. Whether a record
 * does is guessed from the records that were weighed before it.
 */
const recentShapes = new Set<string>();
const maxRecentShapes = 1_024;
const maxShapeLength = 1_024;

function isOfRecentShape(keys: readonly string[]): boolean {
  const shape = keys.join("\0");
  if (shape === "" || recentShapes.has(shape)) {
    return true;
  }
  if (shape.length <= maxShapeLength) {
    if (recentShapes.size >= maxRecentShapes) {
      recentShapes.clear();
    }
    recentShapes.add(shape);
  }
  return false;
}
