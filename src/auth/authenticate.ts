import type { Principal } from "../catalog/access/principal.ts";

/** What a request says of its caller. */
export interface Credentials {
  /** The value of a header, by its name in lower case; undefined if it is missing. */
  header(name: string): string | undefined;
  /** The subject of the client's certificate, if it has one that was verified. */
  readonly certificateSubject?: string | undefined;
}

/**
 * Finds who calls.
 *
 * Raises, or rejects with, a CatalogError of the kind unauthenticated if the credentials prove nothing.
 */
export type Authenticate = (credentials: Credentials) => Principal | Promise<Principal>;
