import type { Principal } from "../catalog/access/principal.ts";

/** The certificate that a client has shown for its connection. */
export interface ClientCertificate {
  /**
   * The subject as RFC 4514 writes it, such as `CN=ci,O=Acme`; of a certificate with an empty subject the
   * URI that it is for, such as `spiffe://cluster.local/ns/mesh/sa/ci`.
   */
  readonly subject: string;
  /** When it expires, in ms since 1970. */
  readonly expiresAt: number;
  /** Why it could not be verified, as OpenSSL names it; undefined if it was. */
  readonly problem: string | undefined;
}

/** The credentials of a request. */
export interface Credentials {
  /** The value of a header, by its name in lower case; undefined if it is missing. */
  header(name: string): string | undefined;
  /** The client's certificate; undefined if it has shown none. */
  readonly certificate?: ClientCertificate | undefined;
}

/**
 * Finds who calls.
 *
 * Raises, or rejects with, a CatalogError of the kind unauthenticated if the credentials are not valid.
 */
export type Authenticate = (credentials: Credentials) => Principal | Promise<Principal>;
