/*
 * The methods of RPCs, independent of protocols: how a request is validated, which permission it needs, and
 * how it is answered. A front end reads the bytes, asks the table for the method, and writes the answer; it
 * has no rule of its own.
 */
import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Permission, Principal } from "../catalog/access/principal.ts";
import type { Reader } from "../catalog/store.ts";
import type { Source } from "../catalog/watch/source.ts";
import type { Journal } from "../journal/journal.ts";
import type { Answer } from "./answer.ts";
import type { Audit, Origin } from "./audit.ts";
import type { OpenWatches } from "./open-watches.ts";

/** The context of a method. */
export interface Call {
  /** The catalog, to read. */
  readonly reader: Reader;
  /** Where writes go. */
  readonly journal: Journal;
  /** Who calls. */
  readonly principal: Principal;
  /** The name of the method, which commits keep as their reason. */
  readonly method: string;
  /** Is aborted when nobody waits for the answer any more, or the server goes down. */
  readonly signal: AbortSignal;
  /** After how long without a message a watch sends a bookmark, in ms. */
  readonly bookmarkIntervalMs: number;
  /** Where writes are recorded; undefined if nowhere. */
  readonly audit?: Audit | undefined;
  /** The watches of all callers; undefined if there is no limit. */
  readonly watches?: OpenWatches | undefined;
  /** Where the call comes from; undefined for one of the same process. */
  readonly origin?: Origin | undefined;
  /** Is told the revision of a commit that the call makes. */
  readonly onCommit?: (revision: bigint) => void;
}

/** The context of a method that answers with a stream, which is interrupted instead of aborted. */
export type StreamCall = Omit<Call, "signal" | "onCommit">;

/** The permission that a method needs; see authorize.ts. */
export type Access<Request> =
  /** None: everybody may call. */
  | "open"
  /** None, but the caller has to be authenticated. */
  | "api"
  /** A permission on a resource that the request names. */
  | {
      readonly permission: Permission;
      /** The resource's fqn. */
      readonly resource: (request: Request) => string;
      /** The fqn of what is written, if it is not the resource. */
      readonly written?: (request: Request) => string;
    };

/** A method that answers a request with one message. */
export interface UnaryMethod<Request, Response> {
  /**
   * Applies defaults, and validates the request against every rule that needs no state.
   *
   * Raises a CatalogError of the kind invalid.
   */
  readonly accept: (request: Request) => Request;
  readonly access: Access<Request>;
  /** Answers a request that has been accepted. */
  readonly handle: (request: Request, call: Call) => Answer<Response> | Promise<Answer<Response>>;
}

/** A method that answers a request with a stream of messages. */
export interface StreamMethod<Request, Response> extends Pick<
  UnaryMethod<Request, Response>,
  "accept" | "access"
> {
  /** Opens the stream of answers to a request that has been accepted; see open-stream.ts. */
  readonly handle: (request: Request, call: StreamCall) => Source<Answer<Response>>;
}

/** A method that answers a stream of requests with a stream of messages. */
export interface ConversationMethod<Request, Response> {
  /** Who may begin one; what each request needs is for `handle` to decide. */
  readonly access: "open" | "api";
  /** The greatest request, in bytes. Default: that of any stream. */
  readonly maxRequestBytes?: number;
  /** Ends when the requests end; raises what they raise. */
  readonly handle: (
    requests: AsyncIterable<Request>,
    call: Call,
  ) => AsyncIterable<Answer<Response>>;
}

/** The method for a descriptor. */
export type MethodOf<Desc extends DescMethod> =
  Desc extends DescMethodUnary<infer Request, infer Response>
    ? UnaryMethod<MessageShape<Request>, MessageShape<Response>>
    : Desc extends DescMethodServerStreaming<infer Request, infer Response>
      ? StreamMethod<MessageShape<Request>, MessageShape<Response>>
      : Desc extends DescMethodBiDiStreaming<infer Request, infer Response>
        ? ConversationMethod<MessageShape<Request>, MessageShape<Response>>
        : never;

/** A method for each RPC of a service. */
export type ServiceMethods<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]: MethodOf<Service["method"][Name]>;
};
