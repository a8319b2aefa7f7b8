import { createHash } from "node:crypto";
import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { deepFreeze } from "./freeze.ts";
import { weigh, weighBytes } from "./weight.ts";

/** An object as the catalog holds it. It is made once, at the write, and never changes. */
export interface Stored<Message> {
  /** Frozen, and shared by all who read it. */
  readonly message: Message;
  /** The encoded message. */
  readonly bytes: Uint8Array;
  readonly etag: string;
  /** The estimated size of message and bytes in memory, in bytes. */
  readonly weight: number;
}

type WithEtag<Desc extends DescMessage> = MessageShape<Desc> & { readonly etag: string };

/**
 * Makes an object to be stored, with a new etag: 8 bytes in base64 in double quotes.
 *
 * The etag covers the object and the revision that the write was decided on, so it differs after each
 * change, even one that restores an earlier content.
 */
export function storedOf<Desc extends DescMessage>(
  schema: Desc,
  object: WithEtag<Desc>,
  decidedAt: bigint,
): Stored<WithEtag<Desc>> {
  const encoded = toBinary(schema, { ...object, etag: "" });
  const hash = createHash("sha256").update(`${decidedAt}\n`).update(encoded).digest();
  const etag = `"${hash.subarray(0, 8).toString("base64")}"`;
  const message = deepFreeze({ ...object, etag });
  return stored(message, withEtag(schema, encoded, etag));
}

/** Reads an object that was stored, from its bytes. */
export function restoredFrom<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  options: Parameters<typeof fromBinary>[2],
): Stored<WithEtag<Desc>> {
  const message = fromBinary(schema, bytes, options) as WithEtag<Desc>;
  return stored(deepFreeze(message), bytes);
}

/** The size of a Stored without the message and the bytes. */
const ownWeight = 56;

function stored<Message extends { readonly etag: string }>(
  message: Message,
  bytes: Uint8Array,
): Stored<Message> {
  const weight = ownWeight + weigh(message) + weighBytes(bytes);
  return { message, bytes, etag: message.etag, weight };
}

/** Protobuf allows any order of fields, so the etag, which depends on all others, comes last. */
function withEtag(schema: DescMessage, encoded: Uint8Array, etag: string): Uint8Array {
  const field = schema.fields.find(({ name }) => name === "etag");
  if (field === undefined || field.number > 15) {
    throw new TypeError(`${schema.typeName} needs a field etag with a number up to 15`);
  }
  const lengthDelimited = 2;
  const bytes = new Uint8Array(encoded.byteLength + 2 + etag.length);
  bytes.set(encoded);
  bytes.set([(field.number << 3) | lengthDelimited, etag.length], encoded.byteLength);
  bytes.set(Buffer.from(etag), encoded.byteLength + 2);
  return bytes;
}
