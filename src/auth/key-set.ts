import { createLocalJWKSet, importJWK, type JWK, type JWTVerifyGetKey } from "jose";
import { excerpt } from "../catalog/names/excerpt.ts";
import { isObject } from "./claims.ts";

/**
 * The algorithms that tokens may be signed with. All are asymmetric: with a shared secret, whoever checks
 * tokens could make them, and a public key could be taken for a secret.
 */
export const algorithms = [
  ...["RS256", "RS384", "RS512"],
  ...["PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512"],
  ...["EdDSA", "Ed25519"],
] as const;

/** Keys that tokens are verified with. */
export interface KeySet {
  /** Finds the key that the header of a token names. */
  readonly find: JWTVerifyGetKey;
  /** The keys that are not used, and why. */
  readonly unused: readonly string[];
}

/** Is raised if a key set cannot be used. The message says why, and does not name where it is from. */
export class KeySetError extends Error {}

/** Greatest key set, in bytes, and the most keys in one. */
export const maxKeySetBytes = 1024 * 1024;
export const maxKeys = 100;

/** Shortest modulus of an RSA key, in bits. */
const minRsaBits = 2048;

/**
 * Reads a JSON Web Key Set (RFC 7517). Keys for other uses, and of other algorithms, are left out, since
 * providers list keys for several purposes.
 *
 * Raises a KeySetError if it is not a key set, if no key is left, or if it holds a private key.
 */
export async function parseKeySet(text: string): Promise<KeySet> {
  const keys = keysIn(text);
  if (keys.length > maxKeys) {
    throw new KeySetError(`it has more than ${maxKeys} keys`);
  }
  const usable: JWK[] = [];
  const unused: string[] = [];
  for (const [index, key] of keys.entries()) {
    const name =
      isObject(key) && typeof key["kid"] === "string" ? excerpt(key["kid"]) : `#${index}`;
    if (isObject(key) && "d" in key) {
      throw new KeySetError(`key ${name} is private; list public keys alone`);
    }
    const problem = await problemOf(key);
    if (problem === undefined) {
      usable.push(key as JWK);
    } else {
      unused.push(`key ${name} ${problem}`);
    }
  }
  if (usable.length === 0) {
    const reasons = unused.length === 0 ? "it is empty" : unused.slice(0, 3).join("; ");
    throw new KeySetError(`it has no key that verifies tokens: ${reasons}`);
  }
  return { find: createLocalJWKSet({ keys: usable }), unused };
}

function keysIn(text: string): unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new KeySetError("it is not JSON");
  }
  const keys = isObject(value) ? value["keys"] : undefined;
  if (!Array.isArray(keys)) {
    throw new KeySetError("it is not a JSON Web Key Set, which is an object with the list keys");
  }
  return keys;
}

async function problemOf(key: unknown): Promise<string | undefined> {
  if (!isObject(key)) {
    return "is not an object";
  }
  const jwk = key as JWK;
  const algorithm = jwk.alg ?? usualAlgorithm(jwk);
  if (algorithm === undefined || !algorithms.some((known) => known === algorithm)) {
    return "is not of an algorithm that is accepted";
  }
  if (jwk.use !== undefined && jwk.use !== "sig") {
    return "is not for signatures";
  }
  try {
    const imported = await importJWK(jwk, algorithm);
    if (imported instanceof Uint8Array || imported.type !== "public") {
      return "is not a public key";
    }
    const { modulusLength = Infinity } = imported.algorithm as { modulusLength?: number };
    return modulusLength < minRsaBits ? `has less than ${minRsaBits} bits` : undefined;
  } catch {
    return "is malformed";
  }
}

function usualAlgorithm({ kty, crv }: JWK): string | undefined {
  switch (kty === "RSA" ? kty : crv) {
    case "RSA":
      return "RS256";
    case "P-256":
      return "ES256";
    case "P-384":
      return "ES384";
    case "P-521":
      return "ES512";
    case "Ed25519":
      return "EdDSA";
    default:
      return undefined;
  }
}
