/*
 * Checks the binary form of a message before it is parsed: how much it would build, since a few megabytes
 * can make millions of objects, and what the parsed message does not show.
 *
 * google.protobuf.Value has to have a kind. Protobuf-ES reads an unset one as null, so only the bytes tell
 * what a client sent.
 *
 * The functions here raise an Error for bytes that they cannot walk. They are stricter than the parser,
 * which reads a field by its type whatever its tag says; no client that has our proto sends such bytes.
 */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { buildPath, type Path, type PathBuilder } from "@bufbuild/protobuf/reflect";
import { WireType } from "@bufbuild/protobuf/wire";
import { StructSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { type BinaryLimits, FieldCursor, TooManyRecords } from "./field-cursor.ts";

export { type BinaryLimits, TooManyRecords };

/**
 * Walks through a message, and returns the path of the first Struct that holds an unset Value.
 *
 * Raises TooManyRecords, or an Error if the bytes cannot be walked.
 */
export function findUnsetValue(
  schema: DescMessage,
  bytes: Uint8Array,
  limits: BinaryLimits,
): Path | undefined {
  return createWalk(new FieldCursor(bytes, limits)).search(
    schema,
    bytes.byteLength,
    () => buildPath(schema),
    1,
  );
}

/** Walks with one cursor, since one for each message would cost more than all the rest. */
function createWalk(cursor: FieldCursor) {
  function search(
    schema: DescMessage,
    end: number,
    at: () => PathBuilder,
    level: number,
  ): Path | undefined {
    const fields = fieldsOf(schema);
    const seen = new Map<DescField, number>();
    let found: Path | undefined;
    while (cursor.next(end, level)) {
      const { number, wireType } = cursor;
      const field = fields.get(number);
      checkWireType(field, wireType);
      const inner = cursor.enter(end, level);
      if (inner === undefined) {
        continue;
      }
      if (field?.isLookedAt === true) {
        const index = seen.get(field.desc) ?? 0;
        seen.set(field.desc, index + 1);
        const path = (): PathBuilder => {
          const path = at().field(field.desc);
          return field.desc.fieldKind === "list" ? path.list(index) : path;
        };
        found = visitField(field, inner, path, level) ?? found;
      }
      cursor.position = inner;
    }
    return found;
  }

  function visitField(
    { desc, isPacked }: KnownField,
    end: number,
    path: () => PathBuilder,
    level: number,
  ): Path | undefined {
    if (desc.fieldKind === "map") {
      return visitEntry(desc, end, path, level + 1);
    }
    if (desc.message === undefined) {
      // Packed numbers take a byte each at least.
      cursor.count(isPacked ? end - cursor.position : 0, level);
      return undefined;
    }
    return visitMessage(desc.message, end, path, level + 1);
  }

  /** An entry of a map is a message with the key in field 1 and the value in field 2. */
  function visitEntry(
    { message }: DescField,
    end: number,
    path: () => PathBuilder,
    level: number,
  ): Path | undefined {
    let found: Path | undefined;
    while (cursor.next(end, level)) {
      const { number } = cursor;
      const inner = cursor.enter(end, level);
      if (inner === undefined) {
        continue;
      }
      if (number === 2 && message !== undefined) {
        found = visitMessage(message, inner, path, level + 1) ?? found;
      }
      cursor.position = inner;
    }
    return found;
  }

  function visitMessage(
    schema: DescMessage,
    end: number,
    path: () => PathBuilder,
    level: number,
  ): Path | undefined {
    switch (schema.typeName) {
      case StructSchema.typeName:
        return listIsSet(end, level, entryIsSet) ? undefined : path().toPath();
      case ValueSchema.typeName:
        return valueIsSet(end, level) ? undefined : path().toPath();
      default:
        return search(schema, end, path, level);
    }
  }

  /** Struct has its entries in field 1, and ListValue its values. */
  function listIsSet(
    end: number,
    level: number,
    itemIsSet: (end: number, level: number) => boolean,
  ): boolean {
    let isSet = true;
    while (cursor.next(end, level)) {
      const { number, wireType } = cursor;
      if (number === 1) {
        requireLength(number, wireType);
      }
      const inner = cursor.enter(end, level);
      if (inner === undefined) {
        continue;
      }
      if (number === 1) {
        isSet = itemIsSet(inner, level + 1) && isSet;
      }
      cursor.position = inner;
    }
    return isSet;
  }

  /** An entry of a Struct has its key in field 1, and its value in field 2. */
  function entryIsSet(end: number, level: number): boolean {
    let [hasValue, isSet] = [false, true];
    while (cursor.next(end, level)) {
      const { number, wireType } = cursor;
      if (number === 1 || number === 2) {
        requireLength(number, wireType);
      }
      const inner = cursor.enter(end, level);
      if (inner === undefined) {
        continue;
      }
      if (number === 2) {
        hasValue = true;
        isSet = valueIsSet(inner, level + 1) && isSet;
      }
      cursor.position = inner;
    }
    return hasValue && isSet;
  }

  function valueIsSet(end: number, level: number): boolean {
    const fields = fieldsOf(ValueSchema);
    let [hasKind, isSet] = [false, true];
    while (cursor.next(end, level)) {
      const { number, wireType } = cursor;
      const field = fields.get(number);
      checkWireType(field, wireType);
      hasKind ||= field !== undefined;
      const inner = cursor.enter(end, level);
      if (inner === undefined) {
        continue;
      }
      if (number === ValueSchema.field.structValue.number) {
        isSet = listIsSet(inner, level + 1, entryIsSet) && isSet;
      } else if (number === ValueSchema.field.listValue.number) {
        isSet = listIsSet(inner, level + 1, valueIsSet) && isSet;
      }
      cursor.position = inner;
    }
    return hasKind && isSet;
  }

  return { search };
}

/** A field of a message type, as the walk needs it. */
interface KnownField {
  readonly desc: DescField;
  readonly wireType: WireType;
  /** Numbers in a list may be packed. */
  readonly isPacked: boolean;
  /** Whether its content is walked; strings are not. */
  readonly isLookedAt: boolean;
}

const fieldsByNumber = new WeakMap<DescMessage, ReadonlyMap<number, KnownField>>();

function fieldsOf(schema: DescMessage): ReadonlyMap<number, KnownField> {
  let fields = fieldsByNumber.get(schema);
  if (fields === undefined) {
    fields = new Map(schema.fields.map((field) => [field.number, knownField(field)]));
    fieldsByNumber.set(schema, fields);
  }
  return fields;
}

function knownField(desc: DescField): KnownField {
  const wireType = wireTypeOf(desc);
  const isPacked = desc.fieldKind === "list" && wireType !== WireType.LengthDelimited;
  const isLookedAt = desc.fieldKind === "map" || desc.message !== undefined || isPacked;
  return { desc, wireType, isPacked, isLookedAt };
}

function requireLength(number: number, wireType: WireType): void {
  if (wireType !== WireType.LengthDelimited) {
    throw new Error(`field ${number} of a Struct has the wire type ${wireType}`);
  }
}

function checkWireType(field: KnownField | undefined, wireType: WireType): void {
  if (
    field !== undefined &&
    wireType !== field.wireType &&
    !(field.isPacked && wireType === WireType.LengthDelimited)
  ) {
    throw new Error(`${field.desc.toString()} has the wire type ${wireType}`);
  }
}

function wireTypeOf({ message, fieldKind, scalar }: DescField): WireType {
  if (message !== undefined || fieldKind === "map") {
    return WireType.LengthDelimited;
  }
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
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
