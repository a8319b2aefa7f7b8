/*
 * The errors for callers without valid credentials. Their texts hold no part of a credential, and do not
 * depend on the content of the catalog.
 */
import { CatalogError } from "../catalog/errors.ts";

/** The call has no credentials. */
export function credentialsMissing(wanted: string): CatalogError {
  const problem = "the call has no credentials";
  return unauthenticated("CREDENTIALS_MISSING", `${problem}; send ${wanted}`);
}

/** The token is not valid. */
export function tokenInvalid(problem: string, remedy: string): CatalogError {
  return unauthenticated("TOKEN_INVALID", `the token is not valid: ${problem}; ${remedy}`);
}

/** Both headers for tokens are sent, and their tokens are not the same. */
export function tokensDiffer(): CatalogError {
  const problem = "authorization and x-tetrate-token hold different tokens";
  return unauthenticated("TOKENS_DIFFER", `${problem}; send one of them`);
}

/** The certificate of the client is not valid. */
export function certificateInvalid(problem: string): CatalogError {
  const remedy = "use one that is signed by the CA of the server and has not expired";
  return unauthenticated(
    "CERTIFICATE_INVALID",
    `the client certificate is not valid: ${problem}; ${remedy}`,
  );
}

function unauthenticated(reason: string, message: string): CatalogError {
  return new CatalogError({ kind: "unauthenticated", reason, message, metadata: {} });
}
