import { constants } from "node:http2";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
} from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import type { Logger } from "pino";
import { type Call, callKey, newCall } from "../rpc/call.ts";
import { errorInterceptor } from "../rpc/error-interceptor.ts";
import { internalError } from "../rpc/errors.ts";
import { observeCall } from "../rpc/observe-call.ts";
import { binaryOptions, jsonOptions } from "../wire/options.ts";
import { logWhenEnded } from "./call-log.ts";
import { applyCors, type OriginPolicy } from "./cors.ts";
import { clampDeadline } from "./deadline.ts";
import { withGrpcMessage } from "./grpc-message.ts";
import {
  type NodeListener,
  type NodeRequest,
  type NodeResponse,
  pathOf,
  respond,
} from "./node-http.ts";
import { invalidHost, problemOfQuery, unknownMethod, unsupported } from "./refusals.ts";
import { refuse } from "./refuse.ts";
import { messageBody, streamBody } from "./request-body.ts";
import { inSlices } from "./slices.ts";
import { endUnfinishedRequest } from "./unfinished-request.ts";
import { unreadableField } from "./unreadable-json.ts";
import { checkWire, envelopeBytes } from "./wire-check.ts";

/** What a listener needs. */
export interface ListenerOptions {
  /** The services. */
  readonly routes: (router: ConnectRouter) => void;
  /** The greatest message, before and after decompression, in bytes. */
  readonly maxMessageBytes: number;
  /** How long the request of a unary call may take to arrive, in ms. */
  readonly requestTimeoutMs: number;
  /** How long a client may take to read the answer of a unary call, in ms. */
  readonly answerTimeoutMs: number;
  /** Which web pages may call. */
  readonly isAllowedOrigin: OriginPolicy;
  /** Is aborted when the server goes down; its reason ends open streams. */
  readonly shutdown: AbortSignal;
  readonly logger: Logger;
  /** Milliseconds since any fixed time, for durations. */
  readonly now: () => number;
}

const compressions = [compressionGzip, compressionBrotli];

/** Creates the listener for HTTP requests: the services in all three protocols, and health pages. */
export function createListener(options: ListenerOptions): NodeListener {
  const { shutdown, isAllowedOrigin } = options;
  const handlers = handlersByPath(options);
  return (request, response) => {
    // A peer that goes away while an answer is written is no error of ours.
    response.on("error", () => undefined);
    if (applyCors(request, response, isAllowedOrigin)) {
      return;
    }
    const path = pathOf(request);
    if (path === "/healthz" || path === "/readyz") {
      servePage(response, path === "/readyz" && shutdown.aborted ? 503 : 200);
      return;
    }
    const call = newCall();
    logWhenEnded(options.logger, call, request, response, options.now);
    endUnfinishedRequest(request, response);
    const handler = handlers.get(path);
    if (handler === undefined) {
      refuseCall(call, request, response, 404, unknownMethod(path));
      return;
    }
    serve(handler, call, request, response, options).catch((error: unknown) => {
      giveUp(call, request, response, error);
    });
  };
}

function handlersByPath(options: ListenerOptions): ReadonlyMap<string, UniversalHandler> {
  const isUnary = ({ method }: UniversalHandler): boolean => method.methodKind === "unary";
  // What is under way when the server goes down is answered; streams would never end, and are ended.
  const handlers = [
    ...createHandlers(options, undefined).filter(isUnary),
    ...createHandlers(options, options.shutdown).filter((handler) => !isUnary(handler)),
  ];
  return new Map(handlers.map((handler) => [handler.requestPath, handler]));
}

function createHandlers(
  options: ListenerOptions,
  shutdownSignal: AbortSignal | undefined,
): readonly UniversalHandler[] {
  const router = createConnectRouter({
    interceptors: [errorInterceptor],
    requestGate: observeCall,
    acceptCompression: compressions,
    readMaxBytes: options.maxMessageBytes,
    ...(shutdownSignal && { shutdownSignal }),
    jsonOptions,
    binaryOptions,
  });
  options.routes(router);
  return router.handlers;
}

async function serve(
  handler: UniversalHandler,
  call: Call,
  request: NodeRequest,
  response: NodeResponse,
  options: ListenerOptions,
): Promise<void> {
  const universal = universalRequest(handler, call, request, response, options);
  if (universal === undefined) {
    refuseCall(call, request, response, 400, invalidHost());
    return;
  }
  const unreadable = problemOfQuery(universal);
  if (unreadable !== undefined) {
    refuseCall(call, request, response, 400, unreadable);
    return;
  }
  const answer = await handler(universal);
  if (answer.body === undefined) {
    // Connect leaves the body of a refusal by method or content type empty.
    answer.header?.forEach((value, name) => response.setHeader(name, value));
    refuseCall(
      call,
      request,
      response,
      answer.status,
      unsupported(handler, request, answer.status),
    );
    return;
  }
  if (handler.method.methodKind === "unary") {
    cutOffAfter(response, options.answerTimeoutMs);
  }
  const { trailer } = answer;
  const body = inSlices(answer.body);
  await universalResponseToNodeResponse(
    { ...answer, body: trailer === undefined ? body : withGrpcMessage(body, trailer) },
    response,
  );
}

function universalRequest(
  { method }: UniversalHandler,
  call: Call,
  request: NodeRequest,
  response: NodeResponse,
  { requestTimeoutMs, maxMessageBytes }: ListenerOptions,
): UniversalServerRequest | undefined {
  const contextValues = createContextValues().set(callKey, call);
  let universal: UniversalServerRequest;
  try {
    universal = universalRequestFromNodeRequest(request, response, undefined, contextValues);
  } catch {
    return undefined;
  }
  clampDeadline(universal.header);
  const isStream =
    method.methodKind === "bidi_streaming" || method.methodKind === "client_streaming";
  if (isStream) {
    return { ...universal, body: streamBody(request) };
  }
  const contentType = (universal.header.get("content-type") ?? "").toLowerCase();
  const isGrpc = contentType.startsWith("application/grpc");
  const encoding = universal.header.get(isGrpc ? "grpc-encoding" : "content-encoding");
  const inspect = async (body: Buffer): Promise<void> => {
    if (contentType.includes("json")) {
      call.findUnreadableField = () => unreadableField(method.input, body, isGrpc);
    }
    const raw = { method, contentType, encoding: encoding ?? undefined, body };
    await checkWire(raw, compressions, maxMessageBytes);
  };
  const maxBytes = maxMessageBytes + envelopeBytes;
  return {
    ...universal,
    body: messageBody(request, { timeoutMs: requestTimeoutMs, maxBytes, inspect }),
  };
}

function refuseCall(
  call: Call,
  request: NodeRequest,
  response: NodeResponse,
  status: number,
  error: ConnectError,
): void {
  call.code = error.code;
  refuse(request, response, status, error, jsonOptions);
}

/** Ends a call whose answer could not be written: the peer has gone away, or we have failed. */
function giveUp(call: Call, request: NodeRequest, response: NodeResponse, error: unknown): void {
  if (response.destroyed || response.writableEnded) {
    return;
  }
  if (isPeerGone(error)) {
    call.code ??= Code.Canceled;
    abandon(response, constants.NGHTTP2_CANCEL);
    return;
  }
  call.failure ??= error;
  if (!response.headersSent) {
    refuseCall(call, request, response, 500, internalError(error));
  } else {
    abandon(response, constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** An answer that is not read stays in memory, so it is not kept for a reader for ever. */
function cutOffAfter(response: NodeResponse, timeoutMs: number): void {
  const timer = setTimeout(() => {
    abandon(response, constants.NGHTTP2_CANCEL);
  }, timeoutMs).unref();
  response.once("close", () => {
    clearTimeout(timer);
  });
}

/** Tells a connection that has ended from a failure of ours, which alone belongs into the log. */
function isPeerGone(error: unknown): boolean {
  const { code, cause } = ConnectError.from(error);
  const nodeCode = (cause as NodeJS.ErrnoException | undefined)?.code ?? "";
  return (
    code === Code.Aborted ||
    code === Code.Canceled ||
    /^(?:ECONNRESET|EPIPE|ERR_STREAM_|ERR_HTTP2_)/.test(nodeCode)
  );
}

function abandon(response: NodeResponse, http2Code: number): void {
  if ("stream" in response) {
    response.stream.close(http2Code);
  } else {
    response.destroy();
  }
}

function servePage(response: NodeResponse, status: number): void {
  const body = status === 200 ? "ok\n" : "going down\n";
  respond(response, status, { "Content-Type": "text/plain; charset=utf-8" }, body);
}
