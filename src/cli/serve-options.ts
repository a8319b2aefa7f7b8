/* The options of `wasmext serve`, and which of them exclude or need each other. */
import { parseStoreOption } from "../journal/store-option.ts";
import { isLoopback } from "../transport/connection/loopback.ts";

/** The options of `wasmext serve`, as commander hands them over. */
export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly store: string;
  readonly storePrefix: string;
  readonly storeUser?: string;
  readonly storePasswordFile?: string;
  readonly storeCa?: string;
  readonly storeCert?: string;
  readonly storeKey?: string;
  readonly allowOrigin: readonly string[];
  readonly allowHost: readonly string[];
  readonly maxMessageBytes: number;
  readonly maxConnections: number;
  readonly maxStreams: number;
  readonly maxWatches: number;
  /** In seconds. */
  readonly headerTimeout: number;
  /** In seconds. */
  readonly requestTimeout: number;
  /** In seconds. */
  readonly idleTimeout: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly auth: "none" | "jwt";
  readonly jwks?: string;
  readonly issuer?: string;
  readonly audience?: readonly string[];
  /** In seconds. */
  readonly clockSkew: number;
  readonly grants?: string;
  readonly allowAnonymous?: boolean;
  readonly logLevel: string;
  readonly auditLog?: string;
  readonly auditSync?: boolean;
  readonly moduleCache?: string;
  readonly moduleCacheBytes: number;
  readonly maxModuleBytes: number;
  /** In seconds. */
  readonly moduleCheckInterval: number;
  readonly allowModuleNetwork: readonly string[];
  readonly pullSecrets?: string;
  readonly maxInlineModuleBytes: number;
  /** As `PHASE=deny` or `PHASE=skip`; the last one of a phase counts. */
  readonly onModuleFailure: readonly string[];
}

/** Tells what is wrong with options that are each right by themselves; undefined if nothing is. */
export function problemOfOptions(options: ServeOptions): string | undefined {
  const { auth, tlsCert, tlsKey, tlsClientCa, grants, auditLog, auditSync = false } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    return "--tls-cert and --tls-key go together; set both or neither";
  }
  if ((options.storeCert === undefined) !== (options.storeKey === undefined)) {
    return "--store-cert and --store-key go together; set both or neither";
  }
  if ((options.storeUser === undefined) !== (options.storePasswordFile === undefined)) {
    return "--store-user and --store-password-file go together; set both or neither";
  }
  if (tlsClientCa !== undefined && tlsCert === undefined) {
    return "--tls-client-ca needs TLS; set --tls-cert and --tls-key too";
  }
  if (grants !== undefined && auth === "none" && tlsClientCa === undefined) {
    return "--grants needs authentication; set --auth jwt or --tls-client-ca too";
  }
  if (auditSync && auditLog === undefined) {
    return "--audit-sync needs --audit-log; set both or neither";
  }
  if (options.moduleCacheBytes < 2 * options.maxModuleBytes) {
    return "--module-cache-bytes has to be at least twice --max-module-bytes, since an organization may use half of the cache; raise the one, or lower the other";
  }
  return auth === "jwt" ? problemOfJwt(options) : problemOfNone(options);
}

function problemOfJwt(options: ServeOptions): string | undefined {
  const needed = { jwks: "--jwks", issuer: "--issuer", audience: "--audience" } as const;
  const missing = Object.entries(needed)
    .filter(([name]) => (options[name as keyof typeof needed]?.length ?? 0) === 0)
    .map(([, flag]) => flag);
  if (missing.length > 0) {
    return `--auth jwt needs ${missing.join(" and ")}; set ${missing.length > 1 ? "them" : "it"} too`;
  }
  if (options.allowAnonymous === true) {
    return "--allow-anonymous does not go with --auth jwt; leave one of them out";
  }
  return undefined;
}

function problemOfNone(options: ServeOptions): string | undefined {
  const { host, tlsClientCa, allowAnonymous = false } = options;
  const unneeded = (["jwks", "issuer", "audience"] as const).find(
    (name) => options[name] !== undefined,
  );
  if (unneeded !== undefined) {
    return `--${unneeded} is for --auth jwt; set that too, or leave --${unneeded} out`;
  }
  if (allowAnonymous && tlsClientCa !== undefined) {
    return "--allow-anonymous does not go with --tls-client-ca; leave one of them out";
  }
  return isLoopback(host) || tlsClientCa !== undefined || allowAnonymous
    ? undefined
    : `${host} is not loopback, and there is no authentication; set --auth jwt or --tls-client-ca, or --allow-anonymous if everyone who reaches the port may read and write everything`;
}

/** Warnings about what is lost with the process, who can reach the server, and what can be intercepted. */
export function warningsOf(options: ServeOptions): string[] {
  const { store } = options;
  return parseStoreOption(store).kind === "memory"
    ? [
        "the catalog is in memory and is lost when the server stops; keep it in a file with --store sqlite:catalog.db",
        ...warningsOfReach(options),
      ]
    : warningsOfReach(options);
}

function warningsOfReach(options: ServeOptions): string[] {
  const { host, auth, tlsCert, tlsClientCa, jwks = "" } = options;
  const warnings: string[] = [];
  if (/^http:/i.test(jwks) && !isLoopback(new URL(jwks).hostname)) {
    warnings.push(
      `--jwks ${jwks} is not https: anyone on the network path can replace the keys of the issuer`,
    );
  }
  if (isLoopback(host)) {
    return warnings;
  }
  if (auth === "none" && tlsClientCa === undefined) {
    warnings.push(
      `${host} is not loopback, and there is no authentication: anyone who reaches the port can read and write everything`,
    );
  } else if (tlsCert === undefined) {
    warnings.push(
      `${host} is not loopback, and there is no TLS: anyone on the network path can read and use the tokens of callers`,
    );
  }
  return warnings;
}
