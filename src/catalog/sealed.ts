import { createHash } from "node:crypto";
import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { deepFreeze } from "./freeze.ts";

type WithEtag<Desc extends DescMessage> = MessageShape<Desc> & { readonly etag: string };

/**
 * An object as it is stored: frozen, and with a new etag, 8 bytes in base64 in double quotes.
 *
 * The etag covers the object and the revision that the write was decided on, so it differs after each
 * change, also where a change restores what was there before.
 */
export function sealed<Desc extends DescMessage>(
  schema: Desc,
  object: WithEtag<Desc>,
  decidedAt: bigint,
): Sealed<WithEtag<Desc>> {
  const encoded = toBinary(schema, { ...object, etag: "" });
  const hash = createHash("sha256").update(`${decidedAt}\n`).update(encoded).digest();
  const etag = `"${hash.subarray(0, 8).toString("base64")}"`;
  return { stored: deepFreeze({ ...object, etag }), bytes: encoded.byteLength };
}

/** An object as it is stored, and its encoded size without the etag. */
export interface Sealed<T> {
  readonly stored: T;
  readonly bytes: number;
}
