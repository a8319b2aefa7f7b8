/*
 * google.protobuf.Value has to have a kind. Protobuf-ES reads one without as null, so what a binary
 * client sent can only be told from the bytes. They have been parsed once when they come here, so
 * they are well-formed and not nested beyond the parser's limit.
 */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { buildPath, type Path, type PathBuilder } from "@bufbuild/protobuf/reflect";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { ListValueSchema, StructSchema, ValueSchema } from "@bufbuild/protobuf/wkt";

/** Tells whether messages of a type can hold a Struct. */
export function canHoldStruct(schema: DescMessage, seen = new Set<DescMessage>()): boolean {
  if (seen.has(schema)) {
    return false;
  }
  seen.add(schema);
  return schema.fields.some(
    ({ message }) => message !== undefined && (isStruct(message) || canHoldStruct(message, seen)),
  );
}

/** The path of the first Struct in a message that holds a Value without a kind. */
export function findKindlessStruct(
  schema: DescMessage,
  bytes: Uint8Array,
  at: PathBuilder = buildPath(schema),
): Path | undefined {
  const seen = new Map<DescField, number>();
  for (const [field, inner] of messageFields(schema, bytes)) {
    const index = seen.get(field) ?? 0;
    seen.set(field, index + 1);
    const path = at.clone().field(field);
    if (field.fieldKind === "list") {
      path.list(index);
    }
    if (isStruct(field.message)) {
      if (!structHasKinds(inner)) {
        return path.toPath();
      }
    } else if (field.message !== undefined) {
      const found = findKindlessStruct(field.message, inner, path);
      if (found !== undefined) {
        return found;
      }
    }
  }
  return undefined;
}

function isStruct(message: DescMessage | undefined): boolean {
  return message?.typeName === StructSchema.typeName;
}

function structHasKinds(bytes: Uint8Array): boolean {
  return lengthDelimited(bytes, StructSchema.field.fields.number).every((entry) => {
    const values = lengthDelimited(entry, mapValueNumber);
    return values.length > 0 && values.every(valueHasKind);
  });
}

function valueHasKind(bytes: Uint8Array): boolean {
  const { structValue, listValue } = ValueSchema.field;
  return (
    hasKnownField(ValueSchema, bytes) &&
    lengthDelimited(bytes, structValue.number).every(structHasKinds) &&
    lengthDelimited(bytes, listValue.number).every((list) =>
      lengthDelimited(list, ListValueSchema.field.values.number).every(valueHasKind),
    )
  );
}

/** Map entries are messages with the key in field 1 and the value in field 2. */
const mapValueNumber = 2;

function hasKnownField(schema: DescMessage, bytes: Uint8Array): boolean {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (schema.fields.some((field) => field.number === number)) {
      return true;
    }
    reader.skip(wireType, number);
  }
  return false;
}

function* messageFields(
  schema: DescMessage,
  bytes: Uint8Array,
): Generator<[DescField, Uint8Array]> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = schema.fields.find((candidate) => candidate.number === number);
    if (field?.message !== undefined && wireType === WireType.LengthDelimited) {
      yield [field, reader.bytes()];
    } else {
      reader.skip(wireType, number);
    }
  }
}

function lengthDelimited(bytes: Uint8Array, number: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [candidate, wireType] = reader.tag();
    if (candidate === number && wireType === WireType.LengthDelimited) {
      found.push(reader.bytes());
    } else {
      reader.skip(wireType, candidate);
    }
  }
  return found;
}
