import type { JsonObject } from "@bufbuild/protobuf";

/** The type url of a message. */
export function typeUrl(message: string): string {
  return `type.googleapis.com/${message}`;
}

/** A google.protobuf.Any with a message. */
export function typed(message: string, fields: JsonObject = {}): JsonObject {
  return { "@type": typeUrl(message), ...fields };
}
