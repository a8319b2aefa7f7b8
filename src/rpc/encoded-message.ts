import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import type { HandlerContext } from "@connectrpc/connect";

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
