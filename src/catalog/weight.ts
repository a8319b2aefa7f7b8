/*
 * What values hold in memory, in bytes, estimated from their shape. The constants were measured on V8
 * without pointer compression, as Node is built; bench/weight.ts compares estimates with the heap.
 */

const word = 8;
/** A map, a hash and a length. */
const stringHeader = 2 * word;
const arrayHeader = 4 * word;
const elementsHeader = 2 * word;
/** A typed array with a buffer of its own. */
const bytesHeader = 200;
/** A number that is no small integer has an object of its own. */
const heapNumber = 2 * word;
const bigint = 3 * word;
const messageHeader = 4 * word;
/** An object with room for four properties. */
const recordHeader = 7 * word;
/** Up to so many keys an object has a hidden class; with more it is a hash table. */
const maxFastKeys = 12;
/** A place for a value, and a share of the hidden class, which other objects may have too. */
const fastKey = 4 * word;
/** A place in a hash table that is half empty. */
const hashedKey = 7 * word;

/** Estimates what a value holds in memory, in bytes. What it has in common with others counts. */
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

/** Estimates what bytes hold in memory, in bytes. */
export function weighBytes(bytes: Uint8Array): number {
  return bytesHeader + bytes.byteLength;
}

/** The characters that need one byte each. A string with another one needs two for each. */
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
  let weight = messageHeader;
  for (const [key, value] of Object.entries(message)) {
    weight += word + (key === "$typeName" ? 0 : weigh(value));
  }
  return weight;
}

/** An object of a Struct, or a map. */
function weighRecord(record: object): number {
  const entries = Object.entries(record);
  const ofKey = entries.length <= maxFastKeys ? fastKey : hashedKey;
  return entries.reduce(
    (sum, [key, value]) => sum + ofKey + weighString(key) + weigh(value),
    recordHeader,
  );
}
