/*
 * Writes the messages of streams as they come, to all that have them open.
 *
 * 1. A stream that has nothing to read is asleep: it has no timer, promise or buffer of its own.
 * 2. Streams that are woken are served one after the other, in turns, so that calls are answered between.
 * 3. Messages are written in one go if there is room for them; else as fast as they are read, and nothing
 *    further is read of the stream until then.
 * 4. Readers that are sent the same share its bytes.
 */
import type { Message } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { createDeadlineSignal } from "@connectrpc/connect/protocol";
import { createDeque } from "../../catalog/state/deque.ts";
import type { Turns } from "../../catalog/state/turns.ts";
import type { Answer } from "../../methods/answer.ts";
import type { OpenStream } from "../../methods/open-stream.ts";
import type { CallReport } from "../../rpc/call-report.ts";
import { toRpcError } from "../../rpc/to-rpc-error.ts";
import { corsHeaders } from "../answer/cors.ts";
import { createJoined } from "../answer/joined.ts";
import { streamEnd } from "../answer/stream-end.ts";
import type { UnreadAnswers } from "../answer/unread-answers.ts";
import { envelopedHeaders } from "../answer/whole-answer.ts";
import { AnswerCut, isWrittenAtOnce, sliceBytes, writeChunk } from "../answer/write-answer.ts";
import type { Exchange } from "../exchange.ts";
import type { OriginPolicy } from "../request/origin-policy.ts";
import { createAlarms } from "./alarms.ts";
import { type Batch, Outlet, readBatch, type StreamAnswer } from "./outlet.ts";

/** Follows a call to its end, when its answer has been written, or has been given up with an error. */
export type Settle = (exchange: Exchange, report: CallReport, error?: unknown) => Promise<void>;

/** What the pump needs. */
export interface PumpOptions {
  readonly turns: Turns;
  readonly unread: UnreadAnswers;
  /** Which web pages may call. */
  readonly isAllowedOrigin: OriginPolicy;
  readonly settle: Settle;
  /** Is aborted when the server goes down; its reason ends all streams. */
  readonly shutdown: AbortSignal;
  /** Milliseconds since any fixed time, on the clock of the streams. */
  readonly now: () => number;
}

/** Writes streams. */
export interface StreamPump {
  /** Writes a stream until it ends. `open` raises what it ends with before it has begun. */
  start(answer: StreamAnswer, open: () => OpenStream<Answer<Message>>): void;
}

/** Creates a pump without streams. */
export function createStreamPump(options: PumpOptions): StreamPump {
  const { turns, unread, isAllowedOrigin, settle, shutdown, now } = options;
  const open = new Set<Outlet>();
  const woken = createDeque<Outlet>();
  const joined = createJoined();
  let isScheduled = false;

  const alarms = createAlarms<Outlet>(now, (outlet) => {
    endAtDeadline(outlet);
    wake(outlet);
  });
  const endAll = (): void => {
    for (const { stream } of open) {
      stream.interrupt(shutdown.reason);
    }
  };
  shutdown.addEventListener("abort", endAll, { once: true });

  function wake(outlet: Outlet): void {
    if (!outlet.isAwake) {
      serveSoon(outlet);
    }
  }

  function serveSoon(outlet: Outlet): void {
    outlet.isAwake = true;
    woken.push(outlet);
    schedule();
  }

  function schedule(): void {
    if (!isScheduled && woken.length > 0) {
      isScheduled = true;
      setImmediate(serveWoken);
    }
  }

  function serveWoken(): void {
    const isOver = turns.begin();
    for (let next = woken.at(0); next !== undefined; next = woken.at(0)) {
      woken.shift();
      // Large messages take long to send, so each has its turn.
      const isLarge = !next.hasEnded && !next.answer.exchange.isGone && serve(next, isOver);
      if (isLarge || isOver()) {
        break;
      }
    }
    joined.clear();
    isScheduled = false;
    schedule();
  }

  /** Writes what a stream has to say; returns whether that is much. */
  function serve(outlet: Outlet, isOver: () => boolean): boolean {
    const { exchange } = outlet.answer;
    endAtDeadline(outlet);
    const { frames, next } = readBatch(outlet, isOver);
    const chunk = frames.length === 0 ? undefined : joined.of(frames);
    const isWritten = chunk === undefined || isWrittenAtOnce(chunk, exchange);
    if (!isWritten || next instanceof Promise) {
      void goOnWhenWritten(outlet, isWritten ? undefined : chunk, next);
    } else {
      goOn(outlet, next);
    }
    return chunk !== undefined && chunk.byteLength > sliceBytes;
  }

  function goOn(outlet: Outlet, next: Exclude<Batch["next"], Promise<Buffer>>): void {
    if (outlet.hasEnded) {
      return;
    }
    if (next === "caught-up") {
      outlet.isAwake = false;
      alarms.set(outlet, Math.min(outlet.stream.dueAt, outlet.answer.deadlineAt));
    } else if (next === "more") {
      serveSoon(outlet);
    } else {
      end(outlet);
      void finish(outlet.answer, next.raised);
    }
  }

  /** Writes as fast as the client reads, and compresses what comes next. Meanwhile nothing more is read. */
  async function goOnWhenWritten(
    outlet: Outlet,
    chunk: Buffer | undefined,
    next: Batch["next"],
  ): Promise<void> {
    const { exchange, report } = outlet.answer;
    try {
      if (chunk !== undefined) {
        await write(chunk, outlet.answer);
      }
    } catch (error) {
      end(outlet);
      await settle(exchange, report, error);
      return;
    }
    if (!(next instanceof Promise)) {
      // Others may have notified meanwhile.
      goOn(outlet, next === "caught-up" ? "more" : next);
      return;
    }
    try {
      outlet.ready = await next;
      goOn(outlet, "more");
    } catch (raised) {
      goOn(outlet, { raised });
    }
  }

  function write(chunk: Buffer, answer: StreamAnswer): Promise<void> {
    const { exchange, report } = answer;
    return writeChunk(chunk, exchange, { unread, isWhole: false, report }, () => {
      begin(answer);
    });
  }

  function begin({ exchange, shape, compression }: StreamAnswer): void {
    const cors = corsHeaders(exchange.head, isAllowedOrigin);
    const headers = { ...cors, ...envelopedHeaders(shape, compression?.name) };
    exchange.begin(200, headers, shape.protocol === "grpc");
  }

  function endAtDeadline({ stream, answer }: Outlet): void {
    if (answer.deadlineAt !== Infinity && now() >= answer.deadlineAt) {
      stream.interrupt(timedOut());
    }
  }

  /** Lets go of a stream. */
  function end(outlet: Outlet): void {
    outlet.hasEnded = true;
    open.delete(outlet);
    alarms.clear(outlet);
    outlet.stream.close();
  }

  /** Writes the end of a stream. */
  async function finish(answer: StreamAnswer, raised: unknown): Promise<void> {
    const { exchange, report, shape, compression } = answer;
    const error = toRpcError(raised);
    report(error.code, error.code === Code.Internal ? raised : undefined);
    try {
      const { body, trailers } = await streamEnd(shape.protocol, error, compression);
      if (exchange.isGone) {
        throw new AnswerCut();
      }
      if (body !== undefined) {
        await write(body, answer);
      } else if (!exchange.hasBegun) {
        begin(answer);
      }
      exchange.end(undefined, trailers);
    } catch (failure) {
      await settle(exchange, report, failure);
      return;
    }
    await settle(exchange, report);
  }

  return {
    start(answer, openStream) {
      let outlet: Outlet;
      try {
        shutdown.throwIfAborted();
        outlet = new Outlet(answer, openStream());
      } catch (raised) {
        void finish(answer, raised);
        return;
      }
      open.add(outlet);
      answer.exchange.onClose(() => {
        end(outlet);
      });
      outlet.stream.subscribe(() => {
        wake(outlet);
      });
      wake(outlet);
    },
  };
}

/** The reason that Connect gives when the deadline of a call has passed. */
function timedOut(): unknown {
  return createDeadlineSignal(0).signal.reason;
}
