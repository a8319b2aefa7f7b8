import { excerpt } from "../names/excerpt.ts";

/** How many bytes an etag holds. */
const etagBytes = 8;

/**
 * Says what is wrong with an etag that this server cannot have given, and what one looks like;
 * undefined for one that it may have given.
 */
export function problemOfEtag(etag: string): string | undefined {
  const [, base64 = ""] = /^"([A-Za-z0-9+/]+=*)"$/.exec(etag) ?? [];
  const bytes = Buffer.from(base64, "base64");
  // Of the texts that decode to the same bytes, one is what encoding gives.
  return bytes.byteLength === etagBytes && bytes.toString("base64") === base64
    ? undefined
    : `${excerpt(etag)} is not an etag of this server, which is ${etagBytes} bytes in base64 with its double quotes, such as "GIc73bzDiK8="; send the one that was read, as it was read`;
}
