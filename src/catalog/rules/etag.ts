import { excerpt } from "../names/excerpt.ts";

/** How many bytes an etag holds. */
export const etagBytes = 8;

/**
 * Says why an etag cannot be one of this server, and what one looks like; undefined if it can be.
 */
export function problemOfEtag(etag: string): string | undefined {
  const [, base64 = ""] = /^"([A-Za-z0-9+/]+=*)"$/.exec(etag) ?? [];
  const bytes = Buffer.from(base64, "base64");
  // Several texts decode to the same bytes; only one is canonical.
  return bytes.byteLength === etagBytes && bytes.toString("base64") === base64
    ? undefined
    : `${excerpt(etag)} is not an etag of this server, which is ${etagBytes} bytes in base64 with its double quotes, such as "GIc73bzDiK8="; send the etag as it was read`;
}
