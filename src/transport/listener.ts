/*
 * Handles a request: checks its host and its head, finds its method, and reads its message; then the method
 * answers, and the answer is written as fast as it is read. `refuse` answers requests that are refused.
 *
 *   request/     requests, read and checked before a method gets them
 *   answer/      how answers and refusals are written, and the limits on unread answers
 *   front-ends/  how calls get to the table of methods: directly if they are usual, else by Connect
 *   connection/  one port for all versions of HTTP
 */
import { constants } from "node:http2";
import { Code } from "@connectrpc/connect";
import type { Logger } from "pino";
import type { CallReport } from "../rpc/call-report.ts";
import { toRpcError } from "../rpc/to-rpc-error.ts";
import type { FetchedModule } from "../xds/proxies.ts";
import { createAdmission } from "./admission.ts";
import { logWhenEnded } from "./answer/call-log.ts";
import { createCompressions } from "./answer/compressions.ts";
import { answersPreflight, setCorsHeaders } from "./answer/cors.ts";
import { createEndedAnswers } from "./answer/ended-answers.ts";
import { answerWithModule } from "./answer/module-answer.ts";
import { refuse } from "./answer/refuse.ts";
import { respond } from "./answer/respond.ts";
import { AnswerCut } from "./answer/write-answer.ts";
import { type Exchange, exchangeOf, headOfStream, streamExchange } from "./exchange.ts";
import { type ConnectOptions, createConnectFrontEnd } from "./front-ends/connect.ts";
import { createDirectFrontEnd, type DirectOptions } from "./front-ends/direct.ts";
import type { Settle } from "./front-ends/stream-pump.ts";
import { type Listener, pathOf } from "./node-http.ts";
import { refusalOfHead } from "./request/head-policy.ts";
import type { HostPolicy } from "./request/host-policy.ts";
import { RefusedRequest, tooManyConnections } from "./request/refusals.ts";

/** What a listener needs. */
export interface ListenerOptions extends Omit<ConnectOptions, "admission" | "compressions"> {
  /** The methods that are served directly where that can be. Default: none. */
  readonly direct?: Pick<DirectOptions, "table" | "environment"> | undefined;
  /** A module for the proxy that has a secret; undefined if there is none. Default: there are none. */
  readonly module?: (secret: string, digest: string) => Promise<FetchedModule> | undefined;
  /** Which requests are answered at all. */
  readonly hostPolicy: HostPolicy;
  /** Whether the server is ready for calls. */
  readonly readiness: { readonly isReady: boolean };
  readonly logger: Logger;
}

/** Creates the listener for HTTP requests: the services in all three protocols, and health pages. */
export function createListener(options: ListenerOptions): Listener {
  const { hostPolicy, logger, now, direct: served } = options;
  const shared = {
    ...options,
    admission: createAdmission(now),
    compressions: createCompressions(),
  };
  const connect = createConnectFrontEnd(shared);
  const watchEnd = createEndedAnswers(options.unread);
  const settle: Settle = async (exchange, report, error) => {
    if (error !== undefined) {
      await endCall(error, exchange, report);
    }
    watchEnd(exchange, report);
  };
  const direct = served && createDirectFrontEnd({ ...shared, ...served, settle });

  /** Serves a call; `serve` resolves with `open` for a stream that goes on, and is settled later. */
  const follow = async (
    exchange: Exchange,
    serve: (report: CallReport) => Promise<unknown>,
  ): Promise<void> => {
    const report = logWhenEnded(logger, exchange, now);
    try {
      if ((await serve(report)) !== "open") {
        watchEnd(exchange, report);
      }
    } catch (error) {
      await settle(exchange, report, error);
    }
  };
  return {
    stream(stream, headers, rawHeaders) {
      const head = headOfStream(headers, rawHeaders);
      const call = direct?.find(head);
      const { session } = stream;
      if (direct === undefined || call === undefined || session === undefined) {
        return undefined;
      }
      return () => {
        const exchange = streamExchange(stream, session, head);
        const barred = hostPolicy(head);
        void follow(exchange, (report) =>
          barred === undefined ? direct.serve(call, exchange, report) : Promise.reject(barred),
        );
      };
    },
    request(request, response, isOverLimit = false) {
      const exchange = exchangeOf(request, response);
      if (request.method === "GET" || request.method === "HEAD") {
        // An answer is for its caller, whose credentials a cache may not know, and changes with the next write.
        response.setHeader("Cache-Control", "no-store");
      }
      const invalid = hostPolicy(request) ?? refusalOfHead(request);
      const usual = invalid === undefined && !isOverLimit ? direct?.find(request) : undefined;
      if (direct !== undefined && usual !== undefined) {
        void follow(exchange, (report) => direct.serve(usual, exchange, report));
        return;
      }
      const page = invalid === undefined ? servePage(exchange, options) : undefined;
      if (page !== undefined) {
        void page.then(() => {
          watchEnd(exchange, () => undefined);
        });
        return;
      }
      const barred = invalid ?? (isOverLimit ? tooManyConnections() : undefined);
      void follow(exchange, (report) =>
        barred === undefined ? connect(request, exchange, report) : Promise.reject(barred),
      );
    },
  };
}

/** Ends a call that no service has answered: the peer has gone away, it is refused, or we have failed. */
async function endCall(raised: unknown, exchange: Exchange, report: CallReport): Promise<void> {
  const refusal =
    raised instanceof RefusedRequest ? raised : new RefusedRequest(toRpcError(raised));
  const { code } = refusal.error;
  if (raised instanceof AnswerCut || exchange.isGone) {
    report(Code.Canceled);
    return;
  }
  report(code, code === Code.Internal ? raised : undefined);
  if (exchange.hasBegun) {
    const isTooMuch = code === Code.ResourceExhausted;
    exchange.abandon(
      isTooMuch ? constants.NGHTTP2_ENHANCE_YOUR_CALM : constants.NGHTTP2_INTERNAL_ERROR,
    );
    return;
  }
  try {
    await refuse(exchange, refusal);
  } catch (error) {
    report(Code.Internal, error);
    exchange.abandon(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** Answers what is not a call: preflights of browsers, health pages, and modules for proxies; undefined for a call. */
function servePage(
  exchange: Exchange,
  { isAllowedOrigin, readiness, shutdown, unread, module = () => undefined }: ListenerOptions,
): Promise<void> | undefined {
  setCorsHeaders(exchange, isAllowedOrigin);
  if (answersPreflight(exchange, isAllowedOrigin)) {
    return Promise.resolve();
  }
  const path = pathOf(exchange.head);
  const [, secret, digest] = /^\/modules\/([\w-]{1,64})\/([0-9a-f]{64})$/.exec(path) ?? [];
  if (secret !== undefined && digest !== undefined) {
    return answerWithModule(exchange, module(secret, digest), unread);
  }
  if (path !== "/healthz" && path !== "/readyz") {
    return undefined;
  }
  const isReady = readiness.isReady && !shutdown.aborted;
  const [status, body] =
    path === "/healthz" || isReady
      ? [200, "ok"]
      : [503, shutdown.aborted ? "going down" : "not in touch with the store"];
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  respond(exchange.response, status, headers, `${body}\n`);
  return Promise.resolve();
}
