import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { createEncoder } from "../../wire/encoder.ts";
import { deepFreeze } from "./freeze.ts";
import { newEtag } from "./new-etag.ts";
import { kept } from "./slabs.ts";
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

const encode = createEncoder();

/** Makes an object to be stored, with a new etag. */
export function storedOf<Desc extends DescMessage>(
  schema: Desc,
  object: WithEtag<Desc>,
): Stored<WithEtag<Desc>> {
  const message = deepFreeze({ ...object, etag: newEtag() });
  return stored(message, encode(schema, message));
}

/** Reads an object that was stored, from its bytes, which are copied. */
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
  return { message, bytes: kept(bytes), etag: message.etag, weight };
}
