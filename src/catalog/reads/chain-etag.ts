import { createHash } from "node:crypto";
import type { Chain } from "../../../gen/wasmext/v1/chain_pb.ts";

/**
 * The etag of a chain: a digest of its content without the revision, 8 bytes in base64 in double quotes.
 */
export function chainEtag({
  target,
  links,
  excluded,
}: Pick<Chain, "target" | "links" | "excluded">) {
  const digest = digestOf({
    target,
    // An extension may be large, and part of many chains.
    links: links.map((link) => ({
      ...link,
      ...(link.config && { config: rememberedDigest(link.config) }),
      ...(link.vmConfig && { vmConfig: rememberedDigest(link.vmConfig) }),
    })),
    excluded,
  });
  return `"${digest.subarray(0, 8).toString("base64")}"`;
}

/** The digests of parts of stored messages, which never change. */
const digests = new WeakMap<object, string>();

function rememberedDigest(part: object): string {
  let digest = digests.get(part);
  if (digest === undefined) {
    digest = digestOf(part).toString("base64");
    digests.set(part, digest);
  }
  return digest;
}

function digestOf(value: unknown): Buffer {
  return createHash("sha256").update(canonical(value)).digest();
}

/** A value as canonical text: equal values have equal texts, whatever the order of their keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join()}]`;
  }
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`);
    return `{${fields.join()}}`;
  }
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
