import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import type { HandlerContext } from "@connectrpc/connect";
import type { Stored } from "../catalog/stored.ts";
import { encodeFields } from "../wire/delimited.ts";

/** An object as an answer: in binary as the bytes that are stored. */
export function storedAnswer<Desc extends DescMessage>(
  context: HandlerContext,
  schema: Desc,
  { message, bytes }: Stored<MessageShape<Desc>>,
): MessageShape<Desc> {
  return isBinary(context) ? encodedMessage(schema, bytes) : message;
}

/** A response that holds stored objects in one field: in binary as a run of the bytes that are stored. */
export function responseWith<Desc extends DescMessage>(
  context: HandlerContext,
  response: ResponseKind<Desc>,
  objects: readonly Stored<Message>[],
): MessageShape<Desc> {
  const { schema, field, rest } = response;
  if (!isBinary(context)) {
    const messages = objects.map(({ message }) => message);
    const value = field.fieldKind === "list" ? messages : messages[0];
    return Object.assign(create(schema), rest, { [field.localName]: value });
  }
  const fields = objects.map(({ bytes }) => ({ number: field.number, value: bytes }));
  const head = toBinary(schema, Object.assign(create(schema), rest));
  return encodedMessage(schema, encodeFields(fields, head));
}

/** A kind of response that holds stored objects. */
interface ResponseKind<Desc extends DescMessage> {
  readonly schema: Desc;
  /** The field that holds them, whose number is up to 15. */
  readonly field: DescField;
  /** What the response says beside them. */
  readonly rest?: Partial<MessageShape<Desc>>;
}

/**
 * Tells whether a call is answered in binary. One that says nothing of it is answered with messages that
 * can be written either way.
 */
export function isBinary({ requestHeader }: HandlerContext): boolean {
  return !/json/i.test(requestHeader.get("content-type") ?? "json");
}

/**
 * A message that is written in binary as bytes that are encoded already. It says nothing else: its
 * fields are unset.
 *
 * Writers pass on as they are the fields that they do not know. This has one, which begins with the tag
 * of the first field, and whose value is all the rest. Tags of one byte are those of fields up to 15.
 */
export function encodedMessage<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  const message = create(schema);
  const [tag] = bytes;
  if (tag === undefined) {
    return message;
  }
  const wireType = tag < 0x80 ? wireTypes.get(tag & 7) : undefined;
  if (wireType === undefined) {
    throw new TypeError(`${schema.typeName}: the first field has a number greater than 15`);
  }
  message.$unknown = [{ no: tag >> 3, wireType, data: bytes.subarray(1) }];
  return message;
}

const wireTypes: ReadonlyMap<number, WireType> = new Map(
  [WireType.Varint, WireType.Bit64, WireType.LengthDelimited, WireType.Bit32].map((type) => [
    type,
    type,
  ]),
);
