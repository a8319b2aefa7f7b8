/*
 * google.protobuf.Value has to have a kind. Protobuf-ES reads one without as null, so what a binary
 * client sent can only be told from the bytes.
 *
 * Everything here raises an Error for bytes that it cannot walk: it is stricter than the parser, which
 * reads a field by its type whatever its tag says. What only a lenient parser can read is not sent by
 * any client that has our proto.
 */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { buildPath, type Path, type PathBuilder } from "@bufbuild/protobuf/reflect";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { ListValueSchema, StructSchema, ValueSchema } from "@bufbuild/protobuf/wkt";

const holdsStruct = new WeakMap<DescMessage, boolean>();

/** Tells whether messages of a type can hold a Struct. */
export function canHoldStruct(schema: DescMessage): boolean {
  let known = holdsStruct.get(schema);
  if (known === undefined) {
    // Until it is known, so that types that hold themselves come to an end.
    holdsStruct.set(schema, false);
    known = schema.fields.some(
      ({ message }) => message !== undefined && (isStruct(message) || canHoldStruct(message)),
    );
    holdsStruct.set(schema, known);
  }
  return known;
}

/** Is raised if a message has more fields, of any kind and at any depth, than are looked at. */
export class TooManyRecords extends Error {}

/** How many more records are looked at. */
interface Budget {
  left: number;
}

/**
 * The path of the first Struct in a message that holds a Value without a kind.
 *
 * Raises TooManyRecords.
 */
export function findKindlessStruct(
  schema: DescMessage,
  bytes: Uint8Array,
  maxRecords: number,
): Path | undefined {
  return search(schema, bytes, { left: maxRecords }, buildPath(schema));
}

function search(
  schema: DescMessage,
  bytes: Uint8Array,
  budget: Budget,
  at: PathBuilder,
): Path | undefined {
  const seen = new Map<DescField, number>();
  for (const [field, inner] of knownFields(schema, bytes, budget)) {
    if (field.fieldKind !== "message" && field.fieldKind !== "list") {
      continue;
    }
    const index = seen.get(field) ?? 0;
    seen.set(field, index + 1);
    const { message } = field;
    if (inner === undefined || message === undefined) {
      continue;
    }
    const path = (): PathBuilder => {
      const path = at.clone().field(field);
      return field.fieldKind === "list" ? path.list(index) : path;
    };
    if (isStruct(message)) {
      if (!structHasKinds(inner, budget)) {
        return path().toPath();
      }
    } else {
      const found = search(message, inner, budget, path());
      if (found !== undefined) {
        return found;
      }
    }
  }
  return undefined;
}

function isStruct(message: DescMessage): boolean {
  return message.typeName === StructSchema.typeName;
}

function structHasKinds(bytes: Uint8Array, budget: Budget): boolean {
  return [...knownFields(StructSchema, bytes, budget)].every(([, entry]) => {
    const values = entry === undefined ? [] : mapValues(entry, budget);
    return values.length > 0 && values.every((value) => valueHasKind(value, budget));
  });
}

function valueHasKind(bytes: Uint8Array, budget: Budget): boolean {
  const fields = [...knownFields(ValueSchema, bytes, budget)];
  const { structValue, listValue } = ValueSchema.field;
  return (
    fields.length > 0 &&
    fields.every(([field, inner]) => {
      if (inner === undefined || (field !== structValue && field !== listValue)) {
        return true;
      }
      return field === structValue
        ? structHasKinds(inner, budget)
        : [...knownFields(ListValueSchema, inner, budget)].every(
            ([, value]) => value !== undefined && valueHasKind(value, budget),
          );
    })
  );
}

/** The known fields of a message in the order of the bytes, with their content where it has a length. */
function* knownFields(
  schema: DescMessage,
  bytes: Uint8Array,
  budget: Budget,
): Generator<[DescField, Uint8Array | undefined], void> {
  for (const [number, wireType, inner] of records(bytes, budget)) {
    const field = schema.fields.find((candidate) => candidate.number === number);
    if (field === undefined) {
      continue;
    }
    if (!wireTypesOf(field).includes(wireType)) {
      throw new Error(`field ${field.toString()} has the wire type ${wireType}`);
    }
    yield [field, inner];
  }
}

/** Map entries are messages with the key in field 1 and the value in field 2. */
function mapValues(entry: Uint8Array, budget: Budget): Uint8Array[] {
  return [...records(entry, budget)].flatMap(([number, , inner]) => {
    if (number <= 2 && inner === undefined) {
      throw new Error("a map entry has a key or value without a length");
    }
    return number === 2 && inner !== undefined ? [inner] : [];
  });
}

function* records(
  bytes: Uint8Array,
  budget: Budget,
): Generator<[number: number, wireType: WireType, inner: Uint8Array | undefined], void> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    if (budget.left-- <= 0) {
      throw new TooManyRecords();
    }
    const [number, wireType] = reader.tag();
    if (wireType === WireType.LengthDelimited) {
      yield [number, wireType, reader.bytes()];
    } else {
      reader.skip(wireType, number);
      yield [number, wireType, undefined];
    }
  }
}

/** The wire types that a field may have; numbers in a list may be packed. */
function wireTypesOf(field: DescField): readonly WireType[] {
  const { scalar } = field;
  if (field.message !== undefined || field.fieldKind === "map") {
    return [WireType.LengthDelimited];
  }
  if (scalar === ScalarType.STRING || scalar === ScalarType.BYTES) {
    return [WireType.LengthDelimited];
  }
  const single = numberWireType(scalar);
  return field.fieldKind === "list" ? [single, WireType.LengthDelimited] : [single];
}

function numberWireType(scalar: ScalarType | undefined): WireType {
  switch (scalar) {
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}
