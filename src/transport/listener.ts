/*
 * The way of a request: may it be answered at all, which method is it for, what does it say of itself,
 * what does it send; then Connect serves it, and the answer is written as fast as it is read. What is
 * refused before Connect is answered by `refuse`; after that, nothing is left to refuse but by services.
 *
 *   request/   what a request says and sends, read and checked before it is handed over
 *   answer/    how answers and refusals are written, and what waits to be read
 *   connection/  one port for all versions of HTTP
 */
import { constants } from "node:http2";
import {
  Code,
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import { universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import type {
  Compression,
  UniversalHandler,
  UniversalServerRequest,
} from "@connectrpc/connect/protocol";
import type { DescMethod } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import type { Principal } from "../catalog/access/principal.ts";
import type { Origin } from "../methods/audit.ts";
import { type CallReport, callReportKey } from "../rpc/call-report.ts";
import { errorInterceptor } from "../rpc/error-interceptor.ts";
import { originKey } from "../rpc/origin.ts";
import { principalKey } from "../rpc/principal.ts";
import { toRpcError } from "../rpc/to-rpc-error.ts";
import { binaryOptions, jsonOptions } from "../wire/options.ts";
import { createCompressions } from "./answer/compressions.ts";
import { logWhenEnded } from "./answer/call-log.ts";
import { refuse } from "./answer/refuse.ts";
import { respond } from "./answer/respond.ts";
import { endUnfinishedRequest } from "./answer/unfinished-request.ts";
import type { UnreadAnswers } from "./answer/unread-answers.ts";
import { AnswerCut, writeAnswer } from "./answer/write-answer.ts";
import { type Admission, createAdmission } from "./admission.ts";
import {
  abandon,
  askForBody,
  connectionOf,
  isGone,
  type NodeListener,
  type NodeRequest,
  type NodeResponse,
  pathOf,
  peerOf,
} from "./node-http.ts";
import { refusalOfHead } from "./request/head-policy.ts";
import type { HostPolicy } from "./request/host-policy.ts";
import { callShape } from "./request/call-shape.ts";
import { applyCors } from "./answer/cors.ts";
import type { OriginPolicy } from "./request/origin-policy.ts";
import { setTimeoutOf, timeoutOf } from "./request/deadline.ts";
import { readRequest } from "./request/read-request.ts";
import type { Uploads } from "./request/uploads.ts";
import { deadlineExceeded } from "./request/read-errors.ts";
import {
  invalidHost,
  RefusedRequest,
  tooManyConnections,
  unknownMethod,
} from "./request/refusals.ts";

/** What a listener needs. */
export interface ListenerOptions {
  /** The services. */
  readonly routes: (router: ConnectRouter) => void;
  /** What stands around every service. Default: what gives all errors their details. */
  readonly interceptors?: Interceptor[];
  /** The greatest message, before and after decompression, in bytes. */
  readonly maxMessageBytes: number;
  /** The greatest message of a request whose call may last, in bytes. */
  readonly maxStreamRequestBytes: number;
  /** How long the request of a unary call may take to arrive, in ms. */
  readonly requestTimeoutMs: number;
  /** What waits to be read. */
  readonly unread: UnreadAnswers;
  /** What has arrived of requests. */
  readonly uploads: Uploads;
  /**
   * Finds who calls a method.
   *
   * Rejects with a CatalogError of the kind unauthenticated.
   */
  readonly authenticate: (
    method: DescMethod,
    request: NodeRequest,
  ) => Principal | Promise<Principal>;
  /** Which requests are answered at all. */
  readonly hostPolicy: HostPolicy;
  /** Which web pages may call. */
  readonly isAllowedOrigin: OriginPolicy;
  /** Whether the server should be sent calls. */
  readonly readiness: { readonly isReady: boolean };
  /** Is aborted when the server goes down; its reason ends open streams. */
  readonly shutdown: AbortSignal;
  readonly logger: Logger;
  /** Milliseconds since any fixed time, for durations. */
  readonly now: () => number;
}

/** What all calls share. */
interface Shared extends ListenerOptions {
  readonly handlers: ReadonlyMap<string, UniversalHandler>;
  readonly compressions: readonly Compression[];
  readonly admission: Admission;
}

/** Creates the listener for HTTP requests: the services in all three protocols, and health pages. */
export function createListener(options: ListenerOptions): NodeListener {
  const { hostPolicy, logger, now } = options;
  const compressions = createCompressions();
  const handlers = handlersByPath(options, compressions);
  const admission = createAdmission(now);
  const shared: Shared = { ...options, handlers, compressions, admission };
  return (request, response, isOverLimit = false) => {
    // A peer that closes the connection during an answer is not a server error.
    response.on("error", () => undefined);
    if (request.method === "GET" || request.method === "HEAD") {
      // An answer is for its caller, of whose credentials caches know only some, and changes with the next write.
      response.setHeader("Cache-Control", "no-store");
    }
    const invalid = hostPolicy(request) ?? refusalOfHead(request);
    if (invalid === undefined && servesPage(request, response, options)) {
      return;
    }
    const barred = invalid ?? (isOverLimit ? tooManyConnections() : undefined);
    const report = logWhenEnded(logger, request, response, now);
    endUnfinishedRequest(request, response);
    const served =
      barred === undefined ? serve(report, request, response, shared) : Promise.reject(barred);
    served.catch((error: unknown) => endCall(error, report, request, response));
  };
}

function handlersByPath(
  options: ListenerOptions,
  compressions: readonly Compression[],
): ReadonlyMap<string, UniversalHandler> {
  const router = createConnectRouter({
    interceptors: options.interceptors ?? [errorInterceptor],
    acceptCompression: [...compressions],
    readMaxBytes: options.maxMessageBytes,
    jsonOptions,
    binaryOptions,
  });
  options.routes(router);
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

async function serve(
  report: CallReport,
  request: NodeRequest,
  response: NodeResponse,
  shared: Shared,
): Promise<void> {
  const path = pathOf(request);
  const handler = shared.handlers.get(path);
  if (handler === undefined) {
    throw unknownMethod(path);
  }
  const { method } = handler;
  const shape = callShape(handler, request);
  const principal = await shared.authenticate(method, request);
  const universal = universalRequest(request, response, report, principal);
  const { header } = universal;
  const startedAt = shared.now();
  const timeoutMs = timeoutOf(shape.protocol, header);
  const connection = connectionOf(response);
  const ask = (): void => {
    askForBody(request, response);
  };
  const limits = { ...shared, connection, askForBody: ask };
  const body = await readRequest(request, header, method, shape, timeoutMs, limits);
  if (isGone(response)) {
    // Others wait, so nothing is done for a client that has given up.
    throw new AnswerCut();
  }
  if (timeoutMs !== undefined) {
    const leftMs = timeoutMs - (shared.now() - startedAt);
    if (leftMs <= 0) {
      throw deadlineExceeded();
    }
    setTimeoutOf(shape.protocol, header, leftMs);
  }
  if (shape.contentType === undefined) {
    header.delete("content-type");
  } else {
    header.set("content-type", shape.contentType);
  }
  const isWhole = method.methodKind === "unary";
  // What is under way when the server goes down is answered; streams would never end, and are ended.
  const signal = isWhole ? universal.signal : AbortSignal.any([universal.signal, shared.shutdown]);
  const answer = await handler({ ...universal, signal, body });
  await writeAnswer(answer, response, { unread: shared.unread, isWhole, report });
}

function universalRequest(
  request: NodeRequest,
  response: NodeResponse,
  report: CallReport,
  principal: Principal,
): UniversalServerRequest {
  const contextValues = createContextValues()
    .set(callReportKey, report)
    .set(principalKey, principal)
    .set(originKey, originOf(request));
  try {
    return universalRequestFromNodeRequest(request, response, undefined, contextValues);
  } catch {
    throw invalidHost();
  }
}

function originOf(request: NodeRequest): Origin {
  const requestId = request.headers["x-request-id"];
  return { peer: peerOf(request), requestId: Array.isArray(requestId) ? requestId[0] : requestId };
}

/** Ends a call that no service has answered: the peer has gone away, it is refused, or we have failed. */
async function endCall(
  raised: unknown,
  report: CallReport,
  request: NodeRequest,
  response: NodeResponse,
): Promise<void> {
  const refusal =
    raised instanceof RefusedRequest ? raised : new RefusedRequest(toRpcError(raised));
  const { code } = refusal.error;
  if (raised instanceof AnswerCut || isGone(response)) {
    report(Code.Canceled);
    return;
  }
  report(code, code === Code.Internal ? raised : undefined);
  if (response.headersSent) {
    const isTooMuch = code === Code.ResourceExhausted;
    abandon(
      response,
      isTooMuch ? constants.NGHTTP2_ENHANCE_YOUR_CALM : constants.NGHTTP2_INTERNAL_ERROR,
    );
    return;
  }
  try {
    await refuse(request, response, refusal);
  } catch (error) {
    report(Code.Internal, error);
    abandon(response, constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** Answers what is not a call: preflights of browsers, and health pages. */
function servesPage(
  request: NodeRequest,
  response: NodeResponse,
  { isAllowedOrigin, readiness, shutdown }: ListenerOptions,
): boolean {
  if (applyCors(request, response, isAllowedOrigin)) {
    return true;
  }
  const path = pathOf(request);
  if (path !== "/healthz" && path !== "/readyz") {
    return false;
  }
  const isReady = readiness.isReady && !shutdown.aborted;
  const [status, body] =
    path === "/healthz" || isReady
      ? [200, "ok"]
      : [503, shutdown.aborted ? "going down" : "not in touch with the store"];
  respond(response, status, { "Content-Type": "text/plain; charset=utf-8" }, `${body}\n`);
  return true;
}
