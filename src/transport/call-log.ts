import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import type { Call } from "../rpc/call.ts";
import { type NodeRequest, type NodeResponse, pathOf } from "./node-http.ts";

/** Writes one line when a call has ended: which, how, how long it took, and who called. */
export function logWhenEnded(
  logger: Logger,
  call: Call,
  request: NodeRequest,
  response: NodeResponse,
  now: () => number,
): void {
  const startedAt = now();
  const { remoteAddress, remotePort } = request.socket;
  response.once("close", () => {
    const code = call.code ?? (response.writableFinished ? undefined : Code.Canceled);
    const line = {
      method: pathOf(request).slice(0, maxMethodLength),
      code: code === undefined ? "ok" : codeToString(code),
      durationMs: Math.round((now() - startedAt) * 1000) / 1000,
      peer: `${remoteAddress ?? "unknown"}:${remotePort ?? 0}`,
      http: request.httpVersion,
    };
    if (call.failure === undefined) {
      logger.info(line, "call");
    } else {
      logger.error({ ...line, err: call.failure }, "call failed");
    }
  });
}

/** Longer paths are no method of ours; a line in a log should stay a line. */
const maxMethodLength = 200;
