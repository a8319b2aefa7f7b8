import { isLoopback } from "../connection/loopback.ts";

/** Decides whether pages of an origin may call. */
export type OriginPolicy = (origin: string) => boolean;

/**
 * Allows the listed origins, `*` for all. With an empty list, a server on loopback allows pages on
 * loopback, and any other server none.
 */
export function createOriginPolicy(allowed: readonly string[], host: string): OriginPolicy {
  const origins = new Set(allowed.map((origin) => origin.replace(/\/$/, "").toLowerCase()));
  if (origins.size === 0) {
    return isLoopback(host) ? isLoopbackOrigin : () => false;
  }
  return (origin) => origins.has("*") || origins.has(origin.toLowerCase());
}

function isLoopbackOrigin(origin: string): boolean {
  return URL.canParse(origin) && isLoopback(new URL(origin).hostname);
}
