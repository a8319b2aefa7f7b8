import type { DescMethod } from "@bufbuild/protobuf";
import type { Compression } from "@connectrpc/connect/protocol";
import type { Principal } from "../../catalog/access/principal.ts";
import type { Admission } from "../admission.ts";
import type { UnreadAnswers } from "../answer/unread-answers.ts";
import type { Exchange } from "../exchange.ts";
import type { OriginPolicy } from "../request/origin-policy.ts";
import type { Uploads } from "../request/uploads.ts";

/** The limits of calls, and how callers are identified, for every front end. */
export interface FrontEndOptions {
  /** The greatest message, before and after decompression, in bytes. */
  readonly maxMessageBytes: number;
  /** The greatest message in the request of a stream, in bytes. */
  readonly maxStreamRequestBytes: (method: DescMethod) => number;
  /** How long the request of a unary call may take to arrive, in ms. */
  readonly requestTimeoutMs: number;
  /** The answers that wait to be read. */
  readonly unread: UnreadAnswers;
  /** Counts the bytes of requests that have arrived. */
  readonly uploads: Uploads;
  readonly admission: Admission;
  readonly compressions: readonly Compression[];
  /**
   * Finds who calls a method.
   *
   * Rejects with a CatalogError of the kind unauthenticated.
   */
  readonly authenticate: (method: DescMethod, exchange: Exchange) => Principal | Promise<Principal>;
  /** Which web pages may call. */
  readonly isAllowedOrigin: OriginPolicy;
  /** Is aborted when the server goes down; its reason ends open streams. */
  readonly shutdown: AbortSignal;
  /** Milliseconds since any fixed time, for durations. */
  readonly now: () => number;
}
