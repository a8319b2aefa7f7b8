import type { Principal } from "../catalog/access/principal.ts";

/** Records writes, the refused ones too. */
export interface Audit {
  /**
   * Resolves if the next write can be recorded.
   *
   * Rejects with a CatalogError of the kind unavailable if every write has to be recorded, and the record
   * cannot be written.
   */
  ready(): Promise<void>;
  /** Resolves when the write may be answered. Rejects as `ready` does. */
  record(write: AuditedWrite): Promise<void>;
}

/** Where a call comes from. */
export interface Origin {
  /** The address and the port of the connection's other side. */
  readonly peer: string;
  /** The name under which it has reached this server, and the port if it said one. */
  readonly host?: string | undefined;
  /** The id that the caller has given to the call. */
  readonly requestId?: string | undefined;
}

/** A write that has ended. */
export interface AuditedWrite {
  readonly principal: Principal;
  /** The name of the method. */
  readonly method: string;
  /** The object that is written, as the request names it. */
  readonly fqn: string;
  /** The revision of the commit; undefined if there is none. */
  readonly revision: bigint | undefined;
  /** What the write was refused with; undefined if it was made. */
  readonly error: unknown;
  /** Undefined for a call of the same process. */
  readonly origin: Origin | undefined;
}
