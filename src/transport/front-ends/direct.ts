/*
 * The front end for usual calls: one request, and one answer or a stream of them, in gRPC, gRPC-Web or
 * Connect. It reads the message, has the table of methods answer it, and writes the answer in one go, or as
 * it comes; see stream-pump.ts. All other calls are left to Connect, before a byte of their body is read.
 *
 * Clients get the same answers as from Connect; test/transport/front-ends.test.ts compares them.
 */
import { type Message, toJsonString } from "@bufbuild/protobuf";
import {
  type Compression,
  createDeadlineSignal,
  createLinkedAbortController,
} from "@connectrpc/connect/protocol";
import type { Principal } from "../../catalog/access/principal.ts";
import type { Answer } from "../../methods/answer.ts";
import { answerUnary } from "../../methods/answer-call.ts";
import type { Origin } from "../../methods/audit.ts";
import type { Call } from "../../methods/method.ts";
import { openStream } from "../../methods/open-stream.ts";
import type { MethodRow } from "../../methods/table.ts";
import type { CallReport } from "../../rpc/call-report.ts";
import type { Environment } from "../../rpc/routes.ts";
import { jsonOptions } from "../../wire/options.ts";
import { corsHeaders, setCorsHeaders } from "../answer/cors.ts";
import { createFramings, type Framings } from "../answer/frames.ts";
import { AnswerCut, sliceBytes, writeChunk } from "../answer/write-answer.ts";
import { acceptedCompression, type WholeAnswer, wholeAnswer } from "../answer/whole-answer.ts";
import { type Exchange, originOf } from "../exchange.ts";
import type { RequestHead } from "../node-http.ts";
import { type CallShape, usualShape } from "../request/call-shape.ts";
import { timeoutOf } from "../request/deadline.ts";
import { deadlineExceeded } from "../request/read-errors.ts";
import { type ReadLimits, readOne } from "../request/read-request.ts";
import type { FrontEndOptions } from "./front-end.ts";
import type { StreamAnswer } from "./outlet.ts";
import { createStreamPump, type Settle, type StreamPump } from "./stream-pump.ts";

/** What the direct front end needs. */
export interface DirectOptions extends FrontEndOptions {
  readonly table: readonly MethodRow[];
  readonly environment: Environment;
  readonly settle: Settle;
}

type Served = Exclude<MethodRow, { readonly kind: "conversation" }>;

/** A call that the direct front end serves. */
export type UsualCall = Served & { readonly shape: CallShape };

/** The front end for usual calls. */
export interface DirectFrontEnd {
  /** The call that a request makes, if it is a usual one. */
  find(head: RequestHead): UsualCall | undefined;
  /**
   * Serves it; rejects with what ends a call that has not been answered. A stream is still open then, and is
   * settled when it ends.
   */
  serve(call: UsualCall, exchange: Exchange, report: CallReport): Promise<"answered" | "open">;
}

/** Creates the front end. */
export function createDirectFrontEnd(options: DirectOptions): DirectFrontEnd {
  const allowPage = (exchange: Exchange): void => {
    if (!exchange.hasBegun && !exchange.isGone) {
      setCorsHeaders(exchange, options.isAllowedOrigin);
    }
  };
  const pump = createStreamPump({
    ...options,
    turns: options.environment.reader.turns,
    settle: (exchange, report, error) => {
      allowPage(exchange);
      return options.settle(exchange, report, error);
    },
  });
  const parts: Parts = {
    ...options,
    pump,
    framings: createFramings(),
    // Clients that wait to be asked for a body are left to Connect.
    askForBody: () => undefined,
  };
  const rows = new Map<string, Served>();
  for (const row of options.table) {
    if (row.kind !== "conversation") {
      rows.set(`/${row.desc.parent.typeName}/${row.desc.name}`, row);
    }
  }
  return {
    find(head) {
      const row = rows.get(head.url ?? "");
      const shape = row && usualShape(head, row.kind === "unary" ? "one" : "stream");
      return row && shape && { ...row, shape };
    },
    async serve(call, exchange, report) {
      try {
        return await serve(call, exchange, report, parts);
      } catch (error) {
        allowPage(exchange);
        throw error;
      }
    },
  };
}

interface Parts extends DirectOptions, ReadLimits {
  readonly pump: StreamPump;
  readonly framings: Framings;
}

async function serve(
  call: UsualCall,
  exchange: Exchange,
  report: CallReport,
  options: Parts,
): Promise<"answered" | "open"> {
  const { desc, shape } = call;
  const { head, connection, body } = exchange;
  const authenticated = options.authenticate(desc, exchange);
  const principal = authenticated instanceof Promise ? await authenticated : authenticated;
  const startedAt = options.now();
  const timeoutMs = timeoutOf(shape.protocol, head);
  const readable = { head, body, connection, method: desc, shape, timeoutMs };
  return await readOne(readable, options, ({ message }) => {
    if (exchange.isGone) {
      // Others wait, so nothing is done for a client that has given up.
      throw new AnswerCut();
    }
    const leftMs = timeoutMs && timeoutMs - (options.now() - startedAt);
    if (leftMs !== undefined && leftMs <= 0) {
      throw deadlineExceeded();
    }
    const context = new DirectCall(options.environment, principal, desc.name, exchange, leftMs);
    const compression = acceptedCompression(shape.protocol, head, options.compressions);
    const asked: Asked = { message, context, exchange, report, compression };
    if (call.kind === "unary") {
      return answerOne(call, asked, options);
    }
    startStream(call, asked, options, leftMs);
    return "open";
  });
}

/** A request that has been read. */
interface Asked {
  readonly message: Message;
  readonly context: DirectCall;
  readonly exchange: Exchange;
  readonly report: CallReport;
  /** What the reader of the answer accepts. */
  readonly compression: Compression | undefined;
}

async function answerOne(
  call: UsualCall & { readonly kind: "unary" },
  { message, context, exchange, report, compression }: Asked,
  options: Parts,
): Promise<"answered"> {
  try {
    const answering = answerUnary(call.method, message, context);
    const answer = answering instanceof Promise ? await answering : answering;
    const whole = wholeAnswer(call.shape, encoded(call, answer), compression);
    await write(whole instanceof Promise ? await whole : whole, exchange, report, options);
    return "answered";
  } finally {
    context.stop();
  }
}

function startStream(
  { desc, method, shape }: UsualCall & { readonly kind: "stream" },
  { message, context, exchange, report, compression }: Asked,
  { pump, framings, now }: Parts,
  leftMs: number | undefined,
): void {
  const answer: StreamAnswer = {
    exchange,
    report,
    shape,
    compression,
    framing: framings(desc.output, shape.format, compression),
    deadlineAt: leftMs === undefined ? Infinity : now() + leftMs,
  };
  pump.start(answer, () => openStream(method, message, context));
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
