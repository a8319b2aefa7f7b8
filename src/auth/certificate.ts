import { allGrants, type Grant, type Principal } from "../catalog/access/principal.ts";
import { credentialsExpired } from "../catalog/errors.ts";
import type { Authenticate, ClientCertificate } from "./authenticate.ts";
import { certificateInvalid, credentialsMissing } from "./errors.ts";
import { createLiveRules, type LiveRules } from "./grant-rules.ts";
import { createPrincipal } from "./principals.ts";

/**
 * Creates the authentication of callers by their certificates alone.
 *
 * @param rules - the grants of callers; undefined where each may do everything
 * @param now - milliseconds since 1970
 */
export function createCertificateAuthenticator(
  rules: LiveRules | undefined,
  now: () => number = () => Date.now(),
): Authenticate {
  const ownGrants = rules === undefined ? allGrants : [];
  const principalOf = createCertificatePrincipals(rules ?? createLiveRules(), ownGrants);
  return ({ certificate }) => {
    if (certificate === undefined) {
      throw credentialsMissing("a client certificate with the connection");
    }
    return principalOf(certificate, now());
  };
}

/**
 * Returns the principal of a certificate. Its name is the subject.
 *
 * Raises a CatalogError of the kind unauthenticated if it was not verified, or has expired since.
 */
export type CertificatePrincipals = (certificate: ClientCertificate, now: number) => Principal;

/** Creates the principals of certificates. Calls of one connection share their certificate and principal. */
export function createCertificatePrincipals(
  rules: LiveRules,
  ownGrants: readonly Grant[] = [],
): CertificatePrincipals {
  const known = new WeakMap<ClientCertificate, Principal>();
  return (certificate, now) => {
    const { subject, expiresAt, problem } = certificate;
    if (problem !== undefined) {
      throw certificateInvalid(problem);
    }
    if (expiresAt <= now) {
      throw credentialsExpired();
    }
    if (subject === "") {
      throw certificateInvalid("it names neither a subject nor one URI");
    }
    let principal = known.get(certificate);
    if (principal === undefined) {
      const identity = { kind: "certificate", subject } as const;
      principal = createPrincipal({ name: subject, expiresAt, identity, ownGrants }, rules);
      known.set(certificate, principal);
    }
    return principal;
  };
}
