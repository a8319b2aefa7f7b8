/*
 * What is looked at in the binary form of a message before it is parsed: how much there is to build,
 * since a few megabytes can make millions of objects, and what the parsed message does not show.
 *
 * google.protobuf.Value has to have a kind. Protobuf-ES reads an unset one as null, so what a client
 * sent can only be told from the bytes.
 *
 * Everything here raises an Error for bytes that it cannot walk: it is stricter than the parser, which
 * reads a field by its type whatever its tag says. What only a lenient parser can read is not sent by
 * any client that has our proto.
 */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { buildPath, type Path, type PathBuilder } from "@bufbuild/protobuf/reflect";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { StructSchema, ValueSchema } from "@bufbuild/protobuf/wkt";

/** Is raised if a message has more fields, of any kind and at any depth, than are looked at. */
export class TooManyRecords extends Error {}

/** How many fields a message may hold, and how deep messages and groups may nest in it. */
export interface BinaryLimits {
  readonly maxRecords: number;
  readonly maxLevels: number;
}

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
  return createWalk(limits).search(schema, bytes, () => buildPath(schema), 1);
}

function createWalk({ maxRecords, maxLevels }: BinaryLimits) {
  let records = 0;

  /** Counts what is about to be read. */
  function count(more: number, level: number): void {
    records += more;
    if (records > maxRecords) {
      throw new TooManyRecords();
    }
    if (level > maxLevels) {
      throw new Error(`it nests deeper than ${maxLevels} messages`);
    }
  }

  /** Reads a message field by field; `visit` is called for each whose content has a length. */
  function read(
    bytes: Uint8Array,
    level: number,
    visit: (number: number, content: Uint8Array) => void,
    check: (number: number, wireType: WireType) => void,
  ): void {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      count(1, level);
      const [number, wireType] = reader.tag();
      check(number, wireType);
      if (wireType === WireType.LengthDelimited) {
        visit(number, reader.bytes());
      } else {
        skip(reader, number, wireType, level);
      }
    }
  }

  /** Skips a field without a length; what is in a group counts as well. */
  function skip(reader: BinaryReader, number: number, wireType: WireType, level: number): void {
    if (wireType !== WireType.StartGroup) {
      reader.skip(wireType, number);
      return;
    }
    for (;;) {
      count(1, level + 1);
      const [inner, innerType] = reader.tag();
      if (innerType === WireType.EndGroup) {
        if (inner !== number) {
          throw new Error(`the group ${number} ends as ${inner}`);
        }
        return;
      }
      skip(reader, inner, innerType, level + 1);
    }
  }

  function search(
    schema: DescMessage,
    bytes: Uint8Array,
    at: () => PathBuilder,
    level: number,
  ): Path | undefined {
    const fields = fieldsOf(schema);
    const items = new Map<DescField, number>();
    let found: Path | undefined;
    const visit = (number: number, content: Uint8Array): void => {
      const field = fields.get(number);
      if (field === undefined) {
        return;
      }
      const index = items.get(field) ?? 0;
      items.set(field, index + 1);
      const path = (): PathBuilder => {
        const path = at().clone().field(field);
        return field.fieldKind === "list" ? path.list(index) : path;
      };
      found = visitField(field, content, path, level) ?? found;
    };
    read(bytes, level, visit, (number, wireType) => {
      checkWireType(fields.get(number), wireType);
    });
    return found;
  }

  function visitField(
    field: DescField,
    content: Uint8Array,
    path: () => PathBuilder,
    level: number,
  ): Path | undefined {
    if (field.fieldKind === "map") {
      return visitEntry(field, content, path, level + 1);
    }
    if (field.message === undefined) {
      // Packed numbers take a byte each at least.
      count(isPacked(field) ? content.byteLength : 0, level);
      return undefined;
    }
    return visitMessage(field.message, content, path, level + 1);
  }

  /** An entry of a map is a message with the key in field 1 and the value in field 2. */
  function visitEntry(
    { message }: DescField,
    content: Uint8Array,
    path: () => PathBuilder,
    level: number,
  ): Path | undefined {
    let found: Path | undefined;
    const visit = (number: number, value: Uint8Array): void => {
      if (number === 2 && message !== undefined) {
        found = visitMessage(message, value, path, level + 1) ?? found;
      }
    };
    read(content, level, visit, () => undefined);
    return found;
  }

  function visitMessage(
    schema: DescMessage,
    content: Uint8Array,
    path: () => PathBuilder,
    level: number,
  ): Path | undefined {
    switch (schema.typeName) {
      case StructSchema.typeName:
        return structIsSet(content, level) ? undefined : path().toPath();
      case ValueSchema.typeName:
        return valueIsSet(content, level) ? undefined : path().toPath();
      default:
        return search(schema, content, path, level);
    }
  }

  /** Struct has its entries in field 1; an entry its key in field 1, and its value in field 2. */
  function structIsSet(bytes: Uint8Array, level: number): boolean {
    let isSet = true;
    const visitEntry = (entry: number, content: Uint8Array): void => {
      if (entry !== 1) {
        return;
      }
      let hasValue = false;
      const visit = (number: number, value: Uint8Array): void => {
        if (number === 2) {
          hasValue = true;
          isSet = valueIsSet(value, level + 2) && isSet;
        }
      };
      read(content, level + 1, visit, lengthOf([1, 2]));
      isSet &&= hasValue;
    };
    read(bytes, level, visitEntry, lengthOf([1]));
    return isSet;
  }

  function valueIsSet(bytes: Uint8Array, level: number): boolean {
    const fields = fieldsOf(ValueSchema);
    const seen = { hasKind: false, isSet: true };
    const visit = (number: number, content: Uint8Array): void => {
      if (number === ValueSchema.field.structValue.number) {
        seen.isSet = structIsSet(content, level + 1) && seen.isSet;
      } else if (number === ValueSchema.field.listValue.number) {
        seen.isSet = listIsSet(content, level + 1) && seen.isSet;
      }
    };
    read(bytes, level, visit, (number, wireType) => {
      seen.hasKind ||= fields.has(number);
      checkWireType(fields.get(number), wireType);
    });
    return seen.hasKind && seen.isSet;
  }

  /** ListValue has its values in field 1. */
  function listIsSet(bytes: Uint8Array, level: number): boolean {
    let isSet = true;
    const visit = (number: number, value: Uint8Array): void => {
      isSet = (number !== 1 || valueIsSet(value, level + 1)) && isSet;
    };
    read(bytes, level, visit, lengthOf([1]));
    return isSet;
  }

  return { search };
}

const fieldsByNumber = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(schema: DescMessage): ReadonlyMap<number, DescField> {
  let fields = fieldsByNumber.get(schema);
  if (fields === undefined) {
    fields = new Map(schema.fields.map((field) => [field.number, field]));
    fieldsByNumber.set(schema, fields);
  }
  return fields;
}

/** Wants a length of the fields with some numbers, which hold messages or strings. */
function lengthOf(numbers: readonly number[]): (number: number, wireType: WireType) => void {
  return (number, wireType) => {
    if (numbers.includes(number) && wireType !== WireType.LengthDelimited) {
      throw new Error(`field ${number} of a Struct has the wire type ${wireType}`);
    }
  };
}

function checkWireType(field: DescField | undefined, wireType: WireType): void {
  if (field === undefined) {
    return;
  }
  const isRight =
    wireType === wireTypeOf(field) || (isPacked(field) && wireType === WireType.LengthDelimited);
  if (!isRight) {
    throw new Error(`${field.toString()} has the wire type ${wireType}`);
  }
}

/** Numbers in a list may be packed. */
function isPacked(field: DescField): boolean {
  return (
    field.fieldKind === "list" &&
    field.message === undefined &&
    wireTypeOf(field) !== WireType.LengthDelimited
  );
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
