/*
 * The front end for usual calls: one request, one answer, in gRPC, gRPC-Web or Connect. It reads the
 * message, has the table of methods answer it, and writes the answer in one go. All other calls are left to
 * Connect, before a byte of their body is read.
 *
 * Clients get the same answers as from Connect; test/transport/front-ends.test.ts compares them.
 */
import { type DescMethod, type Message, toJsonString } from "@bufbuild/protobuf";
import { createDeadlineSignal, createLinkedAbortController } from "@connectrpc/connect/protocol";
import type { Principal } from "../../catalog/access/principal.ts";
import type { Answer } from "../../methods/answer.ts";
import { answerUnary } from "../../methods/answer-call.ts";
import type { Origin } from "../../methods/audit.ts";
import type { Call, UnaryMethod } from "../../methods/method.ts";
import type { MethodRow } from "../../methods/table.ts";
import type { CallReport } from "../../rpc/call-report.ts";
import type { Environment } from "../../rpc/routes.ts";
import { jsonOptions } from "../../wire/options.ts";
import { corsHeaders, setCorsHeaders } from "../answer/cors.ts";
import { AnswerCut, sliceBytes, writeChunk } from "../answer/write-answer.ts";
import { acceptedCompression, type WholeAnswer, wholeAnswer } from "../answer/whole-answer.ts";
import { type Exchange, originOf } from "../exchange.ts";
import type { RequestHead } from "../node-http.ts";
import { type CallShape, usualShape } from "../request/call-shape.ts";
import { timeoutOf } from "../request/deadline.ts";
import { deadlineExceeded } from "../request/read-errors.ts";
import { type ReadLimits, readOne } from "../request/read-request.ts";
import type { FrontEndOptions } from "./front-end.ts";

/** What the direct front end needs. */
export interface DirectOptions extends FrontEndOptions {
  readonly table: readonly MethodRow[];
  readonly environment: Environment;
}

/** A call that the direct front end serves. */
export interface UsualCall {
  readonly desc: DescMethod;
  readonly method: UnaryMethod<Message, Message>;
  readonly shape: CallShape;
}

/** The front end for usual calls. */
export interface DirectFrontEnd {
  /** The call that a request makes, if it is a usual one. */
  find(head: RequestHead): UsualCall | undefined;
  /** Serves it; rejects with what ends a call that has not been answered. */
  serve(call: UsualCall, exchange: Exchange, report: CallReport): Promise<void>;
}

/** Creates the front end. */
export function createDirectFrontEnd(options: DirectOptions): DirectFrontEnd {
  // Clients that wait to be asked for a body are left to Connect.
  const limited = { ...options, askForBody: () => undefined };
  const rows = new Map<string, Omit<UsualCall, "shape">>();
  for (const row of options.table) {
    if (row.kind === "unary") {
      const { desc, method } = row;
      rows.set(`/${desc.parent.typeName}/${desc.name}`, { desc, method });
    }
  }
  return {
    find(head) {
      const row = rows.get(head.url ?? "");
      const shape = row && usualShape(head);
      return row && shape && { ...row, shape };
    },
    async serve(call, exchange, report) {
      try {
        await serve(call, exchange, report, limited);
      } catch (error) {
        if (!exchange.hasBegun && !exchange.isGone) {
          setCorsHeaders(exchange, options.isAllowedOrigin);
        }
        throw error;
      }
    },
  };
}

async function serve(
  call: UsualCall,
  exchange: Exchange,
  report: CallReport,
  options: DirectOptions & ReadLimits,
): Promise<void> {
  const { desc, shape, method } = call;
  const { head, connection, body } = exchange;
  const authenticated = options.authenticate(desc, exchange);
  const principal = authenticated instanceof Promise ? await authenticated : authenticated;
  const startedAt = options.now();
  const timeoutMs = timeoutOf(shape.protocol, head);
  const readable = { head, body, connection, method: desc, shape, timeoutMs };
  await readOne(readable, options, async ({ message }) => {
    if (exchange.isGone) {
      // Others wait, so nothing is done for a client that has given up.
      throw new AnswerCut();
    }
    const leftMs = timeoutMs && timeoutMs - (options.now() - startedAt);
    if (leftMs !== undefined && leftMs <= 0) {
      throw deadlineExceeded();
    }
    const context = new DirectCall(options.environment, principal, desc.name, exchange, leftMs);
    try {
      const answering = answerUnary(method, message, context);
      const answer = answering instanceof Promise ? await answering : answering;
      const compression = acceptedCompression(shape.protocol, head, options.compressions);
      const whole = wholeAnswer(shape, encoded(call, answer), compression);
      await write(whole instanceof Promise ? await whole : whole, exchange, report, options);
    } finally {
      context.stop();
    }
  });
}

/** The context that a method gets. A class, because one is made for each call. */
class DirectCall implements Call {
  readonly reader: Call["reader"];
  readonly journal: Call["journal"];
  readonly bookmarkIntervalMs: number;
  readonly audit: Call["audit"];
  readonly watches: Call["watches"];
  readonly principal: Principal;
  readonly method: string;
  readonly #exchange: Exchange;
  readonly #timeoutMs: number | undefined;
  #signal: AbortSignal | undefined;
  #stopTimer: (() => void) | undefined;

  constructor(
    { reader, journal, bookmarkIntervalMs, audit, watches }: Environment,
    principal: Principal,
    method: string,
    exchange: Exchange,
    timeoutMs: number | undefined,
  ) {
    this.reader = reader;
    this.journal = journal;
    this.bookmarkIntervalMs = bookmarkIntervalMs;
    this.audit = audit;
    this.watches = watches;
    this.principal = principal;
    this.method = method;
    this.#exchange = exchange;
    this.#timeoutMs = timeoutMs;
  }

  get origin(): Origin {
    return originOf(this.#exchange);
  }

  /** Made on demand, since most methods do not use it. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const deadline = createDeadlineSignal(this.#timeoutMs);
      const controller = createLinkedAbortController(deadline.signal);
      this.#exchange.onClose(() => {
        controller.abort();
      });
      this.#stopTimer = deadline.cleanup;
      this.#signal = controller.signal;
    }
    return this.#signal;
  }

  /** Stops the timer of the signal, when there is an answer. */
  stop(): void {
    this.#stopTimer?.();
  }
}

function encoded({ desc, shape }: UsualCall, answer: Answer<Message>): Uint8Array {
  return shape.format === "json"
    ? Buffer.from(toJsonString(desc.output, answer.message(), jsonOptions))
    : answer.bytes();
}

async function write(
  { headers, body, trailers }: WholeAnswer,
  exchange: Exchange,
  report: CallReport,
  { unread, isAllowedOrigin }: DirectOptions,
): Promise<void> {
  if (exchange.isGone) {
    throw new AnswerCut();
  }
  const begin = (): void => {
    const cors = corsHeaders(exchange.head, isAllowedOrigin);
    exchange.begin(200, { ...cors, ...headers }, trailers !== undefined);
  };
  if (body.byteLength <= sliceBytes && unread.bytes === 0) {
    begin();
    exchange.end(body, trailers);
    return;
  }
  await writeChunk(body, exchange, { unread, isWhole: true, report }, begin);
  exchange.end(undefined, trailers);
}
