/*
 * The front end for all calls: Connect, which knows every protocol, codec, compression and kind of stream.
 * Its requests have been read and checked already.
 */
import { type ConnectError, type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import { createContextValues, type Interceptor } from "@connectrpc/connect";
import { universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import type {
  UniversalHandler,
  UniversalServerRequest,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import type { Principal } from "../../catalog/access/principal.ts";
import type { MethodRow } from "../../methods/table.ts";
import { type CallReport, callReportKey } from "../../rpc/call-report.ts";
import { createConversationHandler, isPlainGrpc } from "../../rpc/conversation-handler.ts";
import { errorInterceptor } from "../../rpc/error-interceptor.ts";
import { originKey } from "../../rpc/origin.ts";
import { principalKey } from "../../rpc/principal.ts";
import type { Environment } from "../../rpc/routes.ts";
import { unaryErrorKey } from "../../rpc/unary-error.ts";
import { binaryOptions, jsonOptions } from "../../wire/options.ts";
import { endUnfinishedRequest } from "../answer/unfinished-request.ts";
import { AnswerCut, writeAnswer } from "../answer/write-answer.ts";
import { type Exchange, originOf } from "../exchange.ts";
import { askForBody, type NodeRequest, pathOf } from "../node-http.ts";
import { callShape } from "../request/call-shape.ts";
import { setTimeoutOf, timeoutOf } from "../request/deadline.ts";
import { encodingHeaders } from "../request/encoding-headers.ts";
import { deadlineExceeded } from "../request/read-errors.ts";
import { readRequest } from "../request/read-request.ts";
import { invalidHost, unknownMethod } from "../request/refusals.ts";
import type { FrontEndOptions } from "./front-end.ts";

/** What the front end of Connect needs. */
export interface ConnectOptions extends FrontEndOptions {
  /** The services. */
  readonly routes: (router: ConnectRouter) => void;
  /** The methods whose conversations do not need Connect. Default: none. */
  readonly direct?:
    { readonly table: readonly MethodRow[]; readonly environment: Environment } | undefined;
  /** The interceptors of every service. Default: the one that gives all errors their details. */
  readonly interceptors?: Interceptor[] | undefined;
}

/** Serves calls; rejects with what ends a call that has not been answered. */
export type ConnectFrontEnd = (
  request: NodeRequest,
  exchange: Exchange,
  report: CallReport,
) => Promise<void>;

/** Creates the front end. */
export function createConnectFrontEnd(options: ConnectOptions): ConnectFrontEnd {
  const handlers = handlersByPath(options);
  return async (request, exchange, report) => {
    endUnfinishedRequest(exchange.response);
    const path = pathOf(exchange.head);
    const handler = handlers.get(path);
    if (handler === undefined) {
      throw unknownMethod(path);
    }
    await serve(handler, request, exchange, report, options);
  };
}

function handlersByPath(options: ConnectOptions): ReadonlyMap<string, UniversalHandler> {
  const router = createConnectRouter({
    interceptors: options.interceptors ?? [errorInterceptor],
    acceptCompression: [...options.compressions],
    readMaxBytes: options.maxMessageBytes,
    jsonOptions,
    binaryOptions,
  });
  options.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const { table, environment } = options.direct ?? { table: [], environment: undefined };
  for (const row of table) {
    const path = `/${row.desc.parent.typeName}/${row.desc.name}`;
    const handler = handlers.get(path);
    if (row.kind === "conversation" && handler !== undefined && environment !== undefined) {
      const maxBytes = options.maxStreamRequestBytes(row.desc);
      const plain = createConversationHandler(row, environment, maxBytes);
      const chosen = (request: UniversalServerRequest): Promise<UniversalServerResponse> =>
        isPlainGrpc(request) ? Promise.resolve(plain(request)) : handler(request);
      handlers.set(path, Object.assign(chosen, { ...handler }));
    }
  }
  return handlers;
}

async function serve(
  handler: UniversalHandler,
  request: NodeRequest,
  exchange: Exchange,
  report: CallReport,
  options: ConnectOptions,
): Promise<void> {
  const { method } = handler;
  const { head, response } = exchange;
  const shape = callShape(handler, head);
  const principal = await options.authenticate(method, exchange);
  let error: ConnectError | undefined;
  const onError = (raised: ConnectError): void => {
    error = raised;
  };
  const universal = universalRequest(request, exchange, report, principal, onError);
  const { header } = universal;
  const startedAt = options.now();
  const timeoutMs = timeoutOf(shape.protocol, head);
  const ask = (): void => {
    askForBody(request, response);
  };
  const { connection, body: sent } = exchange;
  const call = { head, body: sent, connection, method, shape, timeoutMs };
  const body = await readRequest(call, { ...options, askForBody: ask });
  if (exchange.isGone) {
    // Others wait, so nothing is done for a client that has given up.
    throw new AnswerCut();
  }
  if (timeoutMs !== undefined) {
    const leftMs = timeoutMs - (options.now() - startedAt);
    if (leftMs <= 0) {
      throw deadlineExceeded();
    }
    setTimeoutOf(shape.protocol, header, leftMs);
  }
  header.delete(encodingHeaders[shape.protocol].encoding);
  header.delete("content-length");
  if (shape.contentType === undefined) {
    header.delete("content-type");
  } else {
    header.set("content-type", shape.contentType);
  }
  const isWhole = method.methodKind === "unary";
  // At shutdown, calls under way are answered; streams would never end, and are aborted.
  const signal = isWhole ? universal.signal : AbortSignal.any([universal.signal, options.shutdown]);
  const answer = await handler({ ...universal, signal, body });
  if (error !== undefined && !hasOwnHeaders(answer)) {
    throw error;
  }
  await writeAnswer(answer, exchange, { unread: options.unread, isWhole, report });
}

/** Headers and trailers that belong to a protocol itself. */
const protocolHeader = /^(?:content-|grpc-)/;

/** Tells whether a service has set headers, which Connect alone knows how to send with an error. */
function hasOwnHeaders({ header, trailer }: UniversalServerResponse): boolean {
  return [...(header ?? []), ...(trailer ?? [])].some(([name]) => !protocolHeader.test(name));
}

function universalRequest(
  request: NodeRequest,
  exchange: Exchange,
  report: CallReport,
  principal: Principal,
  onError: (error: ConnectError) => void,
): UniversalServerRequest {
  const contextValues = createContextValues()
    .set(callReportKey, report)
    .set(unaryErrorKey, onError)
    .set(principalKey, principal)
    .set(originKey, originOf(exchange));
  try {
    return universalRequestFromNodeRequest(request, exchange.response, undefined, contextValues);
  } catch {
    throw invalidHost();
  }
}
