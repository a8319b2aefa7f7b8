import type { Credentials } from "./authenticate.ts";
import { tokenInvalid, tokensDiffer } from "./errors.ts";

/** Greatest length of a token, in characters. Nothing longer is looked at. */
export const maxTokenLength = 16 * 1024;

/**
 * Returns the token of a request: of `authorization: Bearer TOKEN`, or of `x-tetrate-token: TOKEN`; undefined
 * if it has neither.
 *
 * Raises a CatalogError of the kind unauthenticated if the headers are malformed, if they differ, or if the
 * token is too long.
 */
export function bearerToken(credentials: Credentials): string | undefined {
  const authorization = credentials.header("authorization");
  const tetrate = credentials.header("x-tetrate-token");
  const bearer = authorization === undefined ? undefined : afterScheme(authorization);
  if (bearer !== undefined && tetrate !== undefined && bearer !== tetrate) {
    throw tokensDiffer();
  }
  const token = bearer ?? tetrate;
  if (token !== undefined && token.length > maxTokenLength) {
    const problem = `it is longer than ${maxTokenLength / 1024} KiB`;
    throw tokenInvalid(problem, "get one with fewer claims");
  }
  return token;
}

function afterScheme(authorization: string): string {
  const scheme = authorization.slice(0, "Bearer ".length);
  if (scheme.toLowerCase() !== "bearer ") {
    throw tokenInvalid("authorization is not of the scheme Bearer", "send `Bearer TOKEN`");
  }
  return authorization.slice(scheme.length).trim();
}
