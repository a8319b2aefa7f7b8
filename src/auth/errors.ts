/*
 * What is said to callers whose credentials prove nothing. No text holds any part of a credential, and none
 * depends on what the catalog holds.
 */
import { CatalogError } from "../catalog/errors.ts";

/** The call has no credentials. */
export function credentialsMissing(wanted: string): CatalogError {
  const problem = "the call does not say who calls";
  return unauthenticated("CREDENTIALS_MISSING", `${problem}; send ${wanted}`);
}

/** The token does not prove who calls. */
export function tokenInvalid(problem: string, remedy: string): CatalogError {
  return unauthenticated("TOKEN_INVALID", `the token is not valid: ${problem}; ${remedy}`);
}

/** Both headers for tokens are sent, and their tokens are not the same. */
export function tokensDiffer(): CatalogError {
  const problem = "authorization and x-tetrate-token hold different tokens";
  return unauthenticated("TOKENS_DIFFER", `${problem}; send one of them`);
}

/** The certificate of the client does not prove who calls. */
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
