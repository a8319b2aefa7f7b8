/** What the configuration of a proxy is made for. */
export interface Proxy {
  /** The fqn of the target whose chain it runs. */
  readonly target: string;
  /** What its listener is: `gateway`, `inbound` or `outbound`, with `:PORT` if its port selects plugins. */
  readonly listener: string;
  /** Whether the whole chain is one slot, so that a change of several phases is one change to requests. */
  readonly isAtomic: boolean;
  /** Whether each slot has a stream of its own, for proxies that have an ads_config for other things. */
  readonly hasOwnStreams: boolean;
  readonly server: Server;
}

/** The server with the catalog, and the credentials that the proxy shows to it. */
export interface Server {
  readonly address: Address;
  readonly token: TokenSource;
  /** Undefined for a server without TLS. */
  readonly tls: Tls | undefined;
}

/** A host and port. */
export interface Address {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly isIp: boolean;
  readonly port: number;
}

/** Where a proxy gets its token from. */
export type TokenSource =
  | { readonly kind: "none" }
  | { readonly kind: "text"; readonly token: string }
  /** A variable of the proxy's environment. */
  | { readonly kind: "variable"; readonly name: string }
  /** A file, which the proxy reads for each stream. */
  | { readonly kind: "file"; readonly path: string };

/** TLS to the server. */
export interface Tls {
  /** The file of the authorities of the server's certificate. */
  readonly caPath: string;
  readonly client: ClientCertificate | undefined;
}

/** The certificate that the proxy shows. */
export interface ClientCertificate {
  readonly certPath: string;
  readonly keyPath: string;
  /** A file of SDS, by which the proxy follows changes of the others; undefined to read them once. */
  readonly sdsPath: string | undefined;
}

/** The proxy itself, for a whole bootstrap. */
export interface ProxyProcess {
  readonly nodeId: string;
  readonly listen: Address;
  readonly admin: Address;
  /** Where requests are sent on to; undefined for a proxy that answers them itself. */
  readonly upstream: Address | undefined;
}
