import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import type { UnreadableField } from "../rpc/call.ts";
import { findUnreadable, formatPath } from "../wire/unreadable.ts";
import { envelopeBytes } from "./wire-check.ts";

/** Larger requests are not searched: the search costs several times what reading costs. */
const maxSearchedBytes = 256 * 1024;

/**
 * The field because of which a JSON request is no message of a type; undefined if the request is no
 * JSON, or compressed, or too large to be searched.
 */
export function unreadableField(
  schema: DescMessage,
  body: Buffer,
  enveloped: boolean,
): UnreadableField | undefined {
  if (body.byteLength > maxSearchedBytes) {
    return undefined;
  }
  try {
    const text = (enveloped ? body.subarray(envelopeBytes) : body).toString();
    const [first] = findUnreadable(schema, JSON.parse(text) as JsonValue);
    return first && { path: formatPath(first.path), remedy: first.remedy };
  } catch {
    return undefined;
  }
}
