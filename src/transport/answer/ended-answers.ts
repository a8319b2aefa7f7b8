import { constants } from "node:http2";
import { Code } from "@connectrpc/connect";
import type { CallReport } from "../../rpc/call-report.ts";
import type { Exchange } from "../exchange.ts";
import type { UnreadAnswers } from "./unread-answers.ts";

/** Watches an answer whose end has been written, until its client has read it. */
export type WatchEnd = (exchange: Exchange, report: CallReport) => void;

/**
 * Counts what is left of answers after their ends have been written: what Node could not send waits to be
 * read as well, however small it is. Most answers are sent at once, so all of a turn are looked at together,
 * after it.
 */
export function createEndedAnswers(unread: UnreadAnswers): WatchEnd {
  let ended: (readonly [Exchange, CallReport])[] = [];

  function look(): void {
    const looked = ended;
    ended = [];
    for (const [exchange, report] of looked) {
      if (!exchange.sink.writableFinished && !exchange.isGone) {
        hold(exchange, report, unread);
      }
    }
  }

  return (exchange, report) => {
    ended.push([exchange, report]);
    if (ended.length === 1) {
      setImmediate(look);
    }
  };
}

function hold(exchange: Exchange, report: CallReport, unread: UnreadAnswers): void {
  const end = (): void => {
    report(Code.ResourceExhausted);
    exchange.abandon(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  const bytes = exchange.sink.writableLength;
  const held = unread.hold({ exchange, bytes, isWhole: true, end, shutDown: end });
  if (held === undefined) {
    end();
  } else {
    exchange.onClose(() => {
      held.release();
    });
  }
}
