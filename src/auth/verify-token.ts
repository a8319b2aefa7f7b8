import { errors, jwtVerify } from "jose";
import { credentialsExpired } from "../catalog/errors.ts";
import { excerpt } from "../catalog/names/excerpt.ts";
import type { Claims } from "./claims.ts";
import { tokenInvalid } from "./errors.ts";
import { algorithms } from "./key-set.ts";
import type { KeySource } from "./key-source.ts";

/** The rules for tokens. */
export interface TokenRules {
  /** Who issues them: the claim `iss`. */
  readonly issuer: string;
  /** Whom they are for: one of these is in the claim `aud`. */
  readonly audiences: readonly string[];
  /** By how much the clocks of issuer and server may differ, in ms. */
  readonly clockSkewMs: number;
}

/** Greatest name of a principal, in characters. */
const maxNameLength = 256;

/**
 * The accepted values of the header `typ`, which is optional (RFC 8725, section 3.11). Issuers sign other
 * things too, such as logout tokens, with the same key and for the same audience.
 */
const types: ReadonlySet<string> = new Set(["jwt", "at+jwt"]);

/** A token that has been verified. */
export interface VerifiedToken {
  /** The claim `sub`. */
  readonly subject: string;
  /** When it is no longer accepted, in whole ms since 1970: after `exp` and the clock skew; Infinity if never. */
  readonly expiresAt: number;
  readonly claims: Claims;
}

/**
 * Verifies a token: its signature by one of the keys, and its claims.
 *
 * Rejects with a CatalogError of the kind unauthenticated.
 */
export async function verifyToken(
  token: string,
  source: KeySource,
  rules: TokenRules,
  now: number,
): Promise<VerifiedToken> {
  try {
    return await verifyWith(source.keys.find, token, rules, now);
  } catch (error) {
    const before = source.keys;
    if (error instanceof errors.JWKSNoMatchingKey) {
      await source.refresh();
      if (source.keys !== before) {
        return await verifyWith(source.keys.find, token, rules, now).catch(raiseRefusal(rules));
      }
    }
    return raiseRefusal(rules)(error);
  }
}

async function verifyWith(
  find: KeySource["keys"]["find"],
  token: string,
  { issuer, audiences, clockSkewMs }: TokenRules,
  now: number,
): Promise<VerifiedToken> {
  const { payload, protectedHeader } = await jwtVerify(token, find, {
    algorithms: [...algorithms],
    issuer,
    audience: [...audiences],
    clockTolerance: clockSkewMs / 1000,
    requiredClaims: ["exp", "sub"],
    currentDate: new Date(now),
  });
  if (!types.has((protectedHeader.typ ?? "jwt").toLowerCase().replace(/^application\//, ""))) {
    throw tokenInvalid("its header typ is not that of an access token", "get an access token");
  }
  const { sub: subject, exp = NaN } = payload;
  if (
    typeof subject !== "string" ||
    subject === "" ||
    subject.length > maxNameLength ||
    !subject.isWellFormed()
  ) {
    const problem = `its claim sub is not a string of 1 to ${maxNameLength} characters`;
    throw tokenInvalid(problem, "get one whose claim sub names its bearer");
  }
  const expiresAt = expiryOf(exp) + clockSkewMs;
  // The library counts whole seconds.
  if (expiresAt <= now) {
    throw credentialsExpired();
  }
  return { subject, expiresAt, claims: payload };
}

/** The last day that a Timestamp can hold, in ms since 1970; what expires later never does. */
const lastDay = Date.UTC(9999, 11, 31);

/** The time in `exp`, which may have a fraction (RFC 7519, section 2), and may be too far off to have a date. */
function expiryOf(exp: number): number {
  const at = Math.floor(exp * 1000);
  return at < lastDay ? at : Infinity;
}

/** Raises the error for a refused token. It tells of claims only if the signature is valid. */
function raiseRefusal(rules: TokenRules): (error: unknown) => never {
  return (error) => {
    throw refusalOf(error, rules);
  };
}

function refusalOf(error: unknown, { issuer, audiences }: TokenRules): unknown {
  if (error instanceof errors.JWTExpired) {
    return credentialsExpired();
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return claimRefusal(error, issuer, audiences);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    const remedy = `sign tokens with one of ${algorithms.join(", ")}`;
    return tokenInvalid("its algorithm is not accepted", remedy);
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    const problem = "it is not signed with a key that the server knows";
    return tokenInvalid(problem, "get one from the issuer whose keys the server has");
  }
  if (error instanceof errors.JWKSMultipleMatchingKeys) {
    const remedy = "put the kid of its key into the header of the token";
    return tokenInvalid("several keys could have signed it", remedy);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    const problem = "its signature is not by the key that it names";
    return tokenInvalid(problem, "get one from the issuer whose keys the server has");
  }
  if (error instanceof errors.JOSEError || error instanceof TypeError) {
    return tokenInvalid("it is not a signed JSON Web Token", "get one from the issuer");
  }
  return error;
}

function claimRefusal(
  { claim, reason }: errors.JWTClaimValidationFailed,
  issuer: string,
  audiences: readonly string[],
): unknown {
  if (reason === "missing") {
    return tokenInvalid(`it has no claim ${excerpt(claim)}`, "get one that has it");
  }
  switch (claim) {
    case "iss":
      return tokenInvalid("it is of another issuer", `get one of ${excerpt(issuer)}`);
    case "aud": {
      const wanted = audiences.map(excerpt).join(" or ");
      return tokenInvalid("it is for another audience", `get one for ${wanted}`);
    }
    case "nbf":
      return tokenInvalid("it is not valid yet", "wait, or set the clocks of issuer and server");
    default:
      return tokenInvalid(`its claim ${excerpt(claim)} is malformed`, "get one from the issuer");
  }
}
