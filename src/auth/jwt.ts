/*
 * Authenticates callers by a token, or by the certificate of their connection.
 *
 * 1. A token counts before a certificate: a gateway with a certificate of its own passes on the tokens of
 *    others. A call with an invalid token is refused, even if its certificate is valid.
 * 2. A token is verified once and remembered by its hash until it expires, until the keys change, or until
 *    there are too many. Calls with the same new token share one verification.
 * 3. Invalid tokens are not remembered: 10,000 of them leave nothing in memory.
 */
import { hash } from "node:crypto";
import type { Principal } from "../catalog/access/principal.ts";
import { credentialsExpired } from "../catalog/errors.ts";
import type { Authenticate } from "./authenticate.ts";
import { bearerToken } from "./bearer-token.ts";
import { createCertificatePrincipals } from "./certificate.ts";
import { credentialsMissing, tokenInvalid } from "./errors.ts";
import { grantsOfClaims, MalformedGrants } from "./grants.ts";
import type { LiveRules } from "./grant-rules.ts";
import type { KeySource } from "./key-source.ts";
import { createPrincipal } from "./principals.ts";
import {
  createVerifiedTokens,
  defaultRememberedLimits,
  type RememberedLimits,
} from "./verified-tokens.ts";
import { type TokenRules, type VerifiedToken, verifyToken } from "./verify-token.ts";

/** The options of authentication by tokens. */
export interface JwtOptions extends TokenRules {
  readonly keySource: KeySource;
  /** The grants that callers have besides those in their tokens. */
  readonly rules: LiveRules;
  /** How many verified tokens are remembered. Default: `defaultRememberedLimits`. */
  readonly remembered?: RememberedLimits;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** A header, claims and a signature in base64url, and nothing that decoders would skip. */
const compactForm = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Creates the authentication of callers by their tokens, or else by their certificates. */
export function createJwtAuthenticator(options: JwtOptions): Authenticate {
  const { keySource, rules, now = () => Date.now() } = options;
  const remembered = createVerifiedTokens(options.remembered ?? defaultRememberedLimits);
  const certificatePrincipal = createCertificatePrincipals(rules);
  const underWay = new Map<string, Promise<Principal>>();
  let rememberedFor = keySource.keys;

  async function verify(token: string, id: string): Promise<Principal> {
    const { keys } = keySource;
    const verified = await verifyToken(token, keySource, options, now());
    const principal = principalOf(verified, rules);
    // Keys that have changed meanwhile may no longer have this one.
    if (keys === keySource.keys && keys === rememberedFor) {
      remembered.add(id, principal, token.length);
    }
    return principal;
  }

  return (credentials) => {
    const token = bearerToken(credentials);
    if (token === undefined) {
      const { certificate } = credentials;
      if (certificate === undefined) {
        throw credentialsMissing("a token as `authorization: Bearer TOKEN`");
      }
      return certificatePrincipal(certificate, now());
    }
    if (!compactForm.test(token)) {
      throw tokenInvalid("it is not a signed JSON Web Token", "get one from the issuer");
    }
    if (rememberedFor !== keySource.keys) {
      rememberedFor = keySource.keys;
      remembered.clear();
    }
    const id = hash("sha256", token, "base64url");
    const known = remembered.get(id);
    if (known !== undefined) {
      if (known.expiresAt <= now()) {
        remembered.forget(id);
        throw credentialsExpired();
      }
      return known;
    }
    let verifying = underWay.get(id);
    if (verifying === undefined) {
      verifying = verify(token, id).finally(() => underWay.delete(id));
      underWay.set(id, verifying);
    }
    return verifying;
  };
}

function principalOf({ subject, expiresAt, claims }: VerifiedToken, rules: LiveRules): Principal {
  try {
    return createPrincipal(
      {
        name: subject,
        expiresAt,
        identity: { kind: "token", claims },
        ownGrants: grantsOfClaims(claims),
      },
      rules,
    );
  } catch (error) {
    throw error instanceof MalformedGrants
      ? tokenInvalid(error.message, "have its issuer correct the claim")
      : error;
  }
}
