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
  return createWalk(bytes, limits).search(schema, bytes.byteLength, () => buildPath(schema), 1);
}

/** Walks with one reader, since a reader for each message would cost more than all the rest. */
function createWalk(bytes: Uint8Array, { maxRecords, maxLevels }: BinaryLimits) {
  const reader = new BinaryReader(bytes);
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

  /**
   * Reads the message up to `end` field by field; `visit` is called for each whose content has a length,
   * with the end of the content. It may read the content, or leave it.
   */
  function read(
    end: number,
    level: number,
    visit: (number: number, contentEnd: number) => void,
    check: (number: number, wireType: WireType) => void,
  ): void {
    while (reader.pos < end) {
      count(1, level);
      const [number, wireType] = reader.tag();
      check(number, wireType);
      if (wireType === WireType.LengthDelimited) {
        const length = reader.uint32();
        const contentEnd = reader.pos + length;
        if (contentEnd > end) {
          throw new RangeError("premature EOF");
        }
        visit(number, contentEnd);
        reader.pos = contentEnd;
      } else {
        skip(number, wireType, level);
      }
    }
    if (reader.pos > end) {
      throw new RangeError("premature EOF");
    }
  }

  /** Skips a field without a length; what is in a group counts as well. */
  function skip(number: number, wireType: WireType, level: number): void {
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
      skip(inner, innerType, level + 1);
    }
  }

  function search(
    schema: DescMessage,
    end: number,
    at: () => PathBuilder,
    level: number,
  ): Path | undefined {
    const fields = fieldsOf(schema);
    const items = new Map<DescField, number>();
    let found: Path | undefined;
    const visit = (number: number, contentEnd: number): void => {
      const field = fields.get(number);
      if (field === undefined || !isLookedAt(field)) {
        return;
      }
      const index = items.get(field) ?? 0;
      items.set(field, index + 1);
      const path = (): PathBuilder => {
        const path = at().clone().field(field);
        return field.fieldKind === "list" ? path.list(index) : path;
      };
      found = visitField(field, contentEnd, path, level) ?? found;
    };
    read(end, level, visit, (number, wireType) => {
      checkWireType(fields.get(number), wireType);
    });
    return found;
  }

  function visitField(
    field: DescField,
    end: number,
    path: () => PathBuilder,
    level: number,
  ): Path | undefined {
    if (field.fieldKind === "map") {
      return visitEntry(field, end, path, level + 1);
    }
    if (field.message === undefined) {
      // Packed numbers take a byte each at least.
      count(isPacked(field) ? end - reader.pos : 0, level);
      return undefined;
    }
    return visitMessage(field.message, end, path, level + 1);
  }

  /** An entry of a map is a message with the key in field 1 and the value in field 2. */
  function visitEntry(
    { message }: DescField,
    end: number,
    path: () => PathBuilder,
    level: number,
  ): Path | undefined {
    let found: Path | undefined;
    const visit = (number: number, valueEnd: number): void => {
      if (number === 2 && message !== undefined) {
        found = visitMessage(message, valueEnd, path, level + 1) ?? found;
      }
    };
    read(end, level, visit, () => undefined);
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
        return structIsSet(end, level) ? undefined : path().toPath();
      case ValueSchema.typeName:
        return valueIsSet(end, level) ? undefined : path().toPath();
      default:
        return search(schema, end, path, level);
    }
  }

  /** Struct has its entries in field 1; an entry its key in field 1, and its value in field 2. */
  function structIsSet(end: number, level: number): boolean {
    let isSet = true;
    const visitEntry = (entry: number, entryEnd: number): void => {
      if (entry !== 1) {
        return;
      }
      let hasValue = false;
      const visit = (number: number, valueEnd: number): void => {
        if (number === 2) {
          hasValue = true;
          isSet = valueIsSet(valueEnd, level + 2) && isSet;
        }
      };
      read(entryEnd, level + 1, visit, checkEntryOfStruct);
      isSet &&= hasValue;
    };
    read(end, level, visitEntry, checkList);
    return isSet;
  }

  function valueIsSet(end: number, level: number): boolean {
    const fields = fieldsOf(ValueSchema);
    const seen = { hasKind: false, isSet: true };
    const visit = (number: number, contentEnd: number): void => {
      if (number === ValueSchema.field.structValue.number) {
        seen.isSet = structIsSet(contentEnd, level + 1) && seen.isSet;
      } else if (number === ValueSchema.field.listValue.number) {
        seen.isSet = listIsSet(contentEnd, level + 1) && seen.isSet;
      }
    };
    read(end, level, visit, (number, wireType) => {
      seen.hasKind ||= fields.has(number);
      checkWireType(fields.get(number), wireType);
    });
    return seen.hasKind && seen.isSet;
  }

  /** ListValue has its values in field 1. */
  function listIsSet(end: number, level: number): boolean {
    let isSet = true;
    const visit = (number: number, valueEnd: number): void => {
      isSet = (number !== 1 || valueIsSet(valueEnd, level + 1)) && isSet;
    };
    read(end, level, visit, checkList);
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

/** An entry of a Struct has a string in field 1 and a message in field 2, and both have a length. */
function checkEntryOfStruct(number: number, wireType: WireType): void {
  if (number === 1 || number === 2) {
    requireLength(number, wireType);
  }
}

/** Struct and ListValue have messages in field 1. */
function checkList(number: number, wireType: WireType): void {
  if (number === 1) {
    requireLength(number, wireType);
  }
}

function requireLength(number: number, wireType: WireType): void {
  if (wireType !== WireType.LengthDelimited) {
    throw new Error(`field ${number} of a Struct has the wire type ${wireType}`);
  }
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

/** Tells whether there is something to see in the content of a field; there is nothing in strings. */
function isLookedAt(field: DescField): boolean {
  return field.fieldKind === "map" || field.message !== undefined || isPacked(field);
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
