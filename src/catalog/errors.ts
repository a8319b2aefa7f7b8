import type { Violation } from "@bufbuild/protovalidate";
import type { Permission, Principal } from "./access/principal.ts";

/** The kinds of refusal, each of which has one RPC code. */
export type CatalogErrorKind =
  | "invalid"
  | "not-found"
  | "already-exists"
  | "conflict"
  | "failed-precondition"
  | "too-large"
  | "out-of-range"
  | "too-slow"
  | "too-many"
  | "unavailable"
  | "unauthenticated"
  | "permission-denied";

/** What every refusal says. */
export interface Refusal {
  readonly kind: CatalogErrorKind;
  /** Why, for programs: UPPER_SNAKE_CASE, stable over releases. */
  readonly reason: string;
  /** The thing, what is wrong with it, and the remedy, for people. */
  readonly message: string;
  /** The names involved, for programs. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields that break a rule; empty for every other kind. */
  readonly violations?: readonly FieldViolation[];
  /** The preconditions that the request does not meet; empty for most kinds. */
  readonly preconditions?: readonly Precondition[];
}

/** A precondition that a request does not meet. */
export interface Precondition {
  /** The fqn of the object at fault. */
  readonly subject: string;
  /** What is wrong with it, and the remedy. */
  readonly description: string;
}

/** A field that breaks a rule. */
export interface FieldViolation {
  /** The path from the request, with proto field names: `wasm_extension.vm_config.env[0].name`. */
  readonly field: string;
  /** The value, what is wrong with it, and the remedy. */
  readonly description: string;
  /** The violation in protovalidate's form. */
  readonly violation: Violation;
}

/** Is raised if the catalog refuses a request. Nothing has changed then. */
export class CatalogError extends Error {
  override readonly name = "CatalogError";
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** The request breaks rules; every violation is named. */
export function invalid(
  problems: readonly FieldViolation[],
  reason = "INVALID_FIELDS",
): CatalogError {
  const [first] = problems;
  const rest = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return new CatalogError({
    kind: "invalid",
    reason,
    message:
      first === undefined ? "invalid request" : `${first.field}: ${first.description}${rest}`,
    metadata: {
      fields: problems
        .slice(0, 10)
        .map((problem) => problem.field)
        .join(","),
      violations: String(problems.length),
    },
    violations: problems,
  });
}

/** The object does not exist, or the caller may not see it. */
export function notFound(fqn: string): CatalogError {
  return new CatalogError({
    kind: "not-found",
    reason: "NOT_FOUND",
    message: `${fqn} does not exist, or the caller may not read it; check the name`,
    metadata: { fqn },
  });
}

/** The caller may read the resource, but does not have this permission. */
export function permissionDenied(
  { name }: Principal,
  permission: Permission,
  fqn: string,
): CatalogError {
  return new CatalogError({
    kind: "permission-denied",
    reason: "PERMISSION_DENIED",
    message: `${name} has no grant of ${permission} on ${fqn}; ask whoever manages the grants`,
    metadata: { principal: name, permission, fqn },
  });
}

/** The credentials of the caller are no longer valid. */
export function credentialsExpired(): CatalogError {
  return new CatalogError({
    kind: "unauthenticated",
    reason: "CREDENTIALS_EXPIRED",
    message: "the token, or the client certificate, has expired; get a new one and call again",
    metadata: {},
  });
}

/** What the caller may see has changed during a watch. */
export function grantsChanged(): CatalogError {
  return new CatalogError({
    kind: "unavailable",
    reason: "GRANTS_CHANGED",
    message: "the grants of the caller have changed; call again, and watch from revision 0",
    metadata: { next_revision: "0" },
  });
}

/** An object of that name already exists. */
export function alreadyExists(fqn: string): CatalogError {
  return new CatalogError({
    kind: "already-exists",
    reason: "ALREADY_EXISTS",
    message: `${fqn} already exists; update it, or choose another name`,
    metadata: { fqn },
  });
}

/** The object has changed since the caller read it. */
export function staleEtag(fqn: string): CatalogError {
  return etagMismatch(
    fqn,
    "has changed since the etag that was sent; read it again and repeat the change",
  );
}

/** The object exists, and the caller did not say which version it has seen. */
export function missingEtag(fqn: string): CatalogError {
  return etagMismatch(fqn, "already exists; read it and send its current etag to replace it");
}

/** An etag was sent, and the object does not exist. */
export function etagOfNothing(fqn: string): CatalogError {
  return etagMismatch(
    fqn,
    "has been deleted since the etag that was sent; leave the etag empty to create it again",
  );
}

function etagMismatch(fqn: string, problem: string): CatalogError {
  return new CatalogError({
    kind: "conflict",
    reason: "ETAG_MISMATCH",
    message: `${fqn} ${problem}`,
    metadata: { fqn },
  });
}

/** The extension does not exist, or the tenant may not use it; the error does not tell which. */
export function unusableExtension(extension: string, tenant: string): CatalogError {
  return new CatalogError({
    kind: "failed-precondition",
    reason: "EXTENSION_NOT_USABLE",
    message: `${extension} does not exist, or ${tenant} may not use it; create it, or add the tenant to its allowed_in`,
    metadata: { extension, tenant },
  });
}

/** The catalog is not open yet, or is being closed. */
export function journalClosed(): CatalogError {
  return new CatalogError({
    kind: "unavailable",
    reason: "CATALOG_CLOSED",
    message: "the catalog does not accept writes while its server starts or stops; try again",
    metadata: {},
  });
}

/** The audit log cannot be written, and nothing may be written without it. */
export function auditFailed(done: { fqn: string; revision: bigint } | undefined): CatalogError {
  const remedy = "make room for it, or see what keeps it from being written";
  return new CatalogError({
    kind: "unavailable",
    reason: "AUDIT_LOG_FAILED",
    message:
      done === undefined
        ? `the server accepts no writes while it cannot write its audit log; ${remedy}`
        : `${done.fqn} has been written as revision ${done.revision}, and the server cannot write its audit log; ${remedy}, and do not repeat the write`,
    metadata: done === undefined ? {} : { fqn: done.fqn, revision: String(done.revision) },
  });
}

/** The commit could not be stored. */
export function commitNotStored(problem: string): CatalogError {
  return new CatalogError({
    kind: "unavailable",
    reason: "COMMIT_NOT_STORED",
    message: `the write could not be stored: ${problem}; try again later`,
    metadata: {},
  });
}

/** The server has lost touch with the store that it shares with others; the write was not made. */
export function outOfTouch(): CatalogError {
  return new CatalogError({
    kind: "unavailable",
    reason: "STORE_UNREACHABLE",
    message:
      "the server has lost touch with its store; nothing has changed, try again later, or on another server",
    metadata: {},
  });
}

/** The store was lost after the commit had been sent to it. */
export function outcomeUnknown(): CatalogError {
  return new CatalogError({
    kind: "unavailable",
    reason: "OUTCOME_UNKNOWN",
    message:
      "the server has lost touch with its store during the write, which may have been made; read the object before you repeat it",
    metadata: {},
  });
}

/** Other servers write to the organization all the time. */
export function overtaken(organization: string): CatalogError {
  return new CatalogError({
    kind: "conflict",
    reason: "OVERTAKEN",
    message: `writes of other servers to ${organization} came before this one each time; nothing has changed, try again`,
    metadata: { organization },
  });
}

/** What runs at a target is more than one answer can hold. */
export function chainTooLarge(target: string, maxBytes: number): CatalogError {
  return new CatalogError({
    kind: "too-large",
    reason: "CHAIN_TOO_LARGE",
    message: `the chain of ${target} holds more than ${maxBytes / 1024 / 1024} MiB; attach fewer extensions there, or give them less configuration`,
    metadata: { target },
  });
}

/** What runs under a parent is more than one export can hold. */
export function exportTooLarge(parent: string, maxBytes: number): CatalogError {
  return new CatalogError({
    kind: "too-large",
    reason: "EXPORT_TOO_LARGE",
    message: `the export of ${parent} holds more than ${maxBytes / 1024 / 1024} MiB; export what is under it in parts`,
    metadata: { parent },
  });
}

/** The caller has as many watches open as one may have. */
export function tooManyWatches(caller: string, limit: number): CatalogError {
  const problem = `${caller} has ${limit} watches open on this server, as many as one caller may have`;
  const remedy =
    "end some, let readers share one, or start the server with a greater --max-watches";
  return new CatalogError({
    kind: "too-many",
    reason: "TOO_MANY_WATCHES",
    message: `${problem}; ${remedy}`,
    metadata: { caller, limit: String(limit) },
  });
}

/** A proxy asks for more slots than one may have. */
export function tooManySlots(limit: number): CatalogError {
  const problem = `the proxy asks for more than ${limit} slots on one connection`;
  const remedy = "use one slot a phase and listener, or several connections";
  return new CatalogError({
    kind: "too-many",
    reason: "TOO_MANY_SLOTS",
    message: `${problem}; ${remedy}`,
    metadata: { limit: String(limit) },
  });
}

/** The proxies of a caller ask for more slots than they may have together. */
export function tooManySlotsOfCaller(caller: string, limit: number): CatalogError {
  const problem = `${caller} has proxies that ask for more than ${limit} slots on this server`;
  const remedy = "use one slot a phase and listener, or give proxies credentials of their own";
  return new CatalogError({
    kind: "too-many",
    reason: "TOO_MANY_SLOTS",
    message: `${problem}; ${remedy}`,
    metadata: { caller, limit: String(limit) },
  });
}

/** Another system cannot hold some of the catalog; each object is named. */
export function notExportable(
  system: string,
  parent: string,
  preconditions: readonly Precondition[],
): CatalogError {
  const [first] = preconditions;
  const rest = preconditions.length > 1 ? ` (and ${preconditions.length - 1} more)` : "";
  const problem = first === undefined ? parent : `${first.subject}: ${first.description}`;
  return new CatalogError({
    kind: "failed-precondition",
    reason: `NOT_EXPORTABLE_TO_${system.toUpperCase()}`,
    message: `${system} cannot hold ${parent}: ${problem}${rest}`,
    metadata: { parent, subject: first?.subject ?? "", violations: String(preconditions.length) },
    preconditions,
  });
}
