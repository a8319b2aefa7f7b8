import { allGrants, type Grant, type Principal } from "../catalog/access/principal.ts";
import { credentialsExpired } from "../catalog/errors.ts";
import type { Authenticate, ClientCertificate } from "./authenticate.ts";
import { certificateInvalid, credentialsMissing } from "./errors.ts";
import { createLiveRules, type LiveRules } from "./grant-rules.ts";
import { createPrincipal } from "./principals.ts";

/**
 * Creates what tells callers by their certificates alone.
 *
 * @param rules - the grants of callers; undefined where each may do everything
 * @param now - milliseconds since 1970
 */
export function createCertificateAuthenticator(
  rules: LiveRules | undefined,
  now: () => number = () => Date.now(),
): Authenticate {
  const ownGrants = rules === undefined ? allGrants : [];
  const live = rules ?? createLiveRules();
  return ({ certificate }) => {
    if (certificate === undefined) {
      throw credentialsMissing("a client certificate with the connection");
    }
    return certificatePrincipal(certificate, live, now(), ownGrants);
  };
}

/**
 * Who has a certificate. Its subject is the name.
 *
 * Raises a CatalogError of the kind unauthenticated if it was not verified, or has expired since.
 */
export function certificatePrincipal(
  { subject, expiresAt, problem }: ClientCertificate,
  rules: LiveRules,
  now: number,
  ownGrants: readonly Grant[] = [],
): Principal {
  if (problem !== undefined) {
    throw certificateInvalid(problem);
  }
  if (expiresAt <= now) {
    throw credentialsExpired();
  }
  if (subject === "") {
    throw certificateInvalid("it names neither a subject nor one URI");
  }
  const identity = { kind: "certificate", subject } as const;
  return createPrincipal({ name: subject, expiresAt, identity, ownGrants }, rules);
}
