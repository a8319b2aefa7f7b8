import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import type { CallReport } from "../../rpc/call-report.ts";
import type { Exchange } from "../exchange.ts";
import { pathOf, peerOf } from "../node-http.ts";

/**
 * Logs one line when a call has ended: its method, result, duration and caller. Returns a function that
 * reports the error that the call ends with; the first report counts.
 */
export function logWhenEnded(logger: Logger, exchange: Exchange, now: () => number): CallReport {
  const startedAt = now();
  const { head, connection } = exchange;
  const peer = peerOf(connection);
  let ended: { code: Code; failure: unknown } | undefined;
  exchange.onClose(() => {
    const code = ended?.code ?? (exchange.isAnswered ? undefined : Code.Canceled);
    const line = {
      method: pathOf(head).slice(0, maxMethodLength),
      code: code === undefined ? "ok" : codeToString(code),
      durationMs: Math.round((now() - startedAt) * 1000) / 1000,
      peer,
      http: head.httpVersion,
    };
    if (ended?.failure === undefined) {
      logger.info(line, "call");
    } else {
      logger.error({ ...line, err: ended.failure }, "call failed");
    }
  });
  return (code, failure) => {
    ended ??= { code, failure };
  };
}

/** Longer paths are not methods of ours; a line in a log should stay a line. */
const maxMethodLength = 200;
