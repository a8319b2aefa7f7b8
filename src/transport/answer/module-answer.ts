import { constants } from "node:http2";
import type { FetchedModule } from "../../xds/proxies.ts";
import type { Exchange } from "../exchange.ts";
import { respond } from "./respond.ts";
import type { UnreadAnswers } from "./unread-answers.ts";
import { AnswerCut, writeChunk } from "./write-answer.ts";

/** How much of a module is written before the proxy has to read, in bytes. */
const partBytes = 128 * 1024;

/**
 * Answers a proxy that fetches a module, as fast as it reads. All who fetch a module share its bytes, so that
 * the whole of it does not count as unread: a fleet that fetches one would exceed what may wait.
 */
export async function answerWithModule(
  exchange: Exchange,
  found: Promise<FetchedModule> | undefined,
  unread: UnreadAnswers,
): Promise<void> {
  const { response, head } = exchange;
  // It may be no longer to be had, or too much be on the way.
  const module = await found?.catch(() => undefined);
  if (module === undefined) {
    const headers = { "Content-Type": "text/plain; charset=utf-8" };
    respond(response, 404, headers, "no such module\n");
    return;
  }
  const { bytes, done, release } = module;
  if (exchange.isGone) {
    release();
    return;
  }
  exchange.onClose(release);
  const headers = {
    "Content-Type": "application/wasm",
    "Content-Length": String(bytes.byteLength),
  };
  const writeHead = (): void => {
    exchange.begin(200, headers, false);
  };
  if (head.method === "HEAD") {
    writeHead();
    exchange.end();
    return;
  }
  response.once("finish", done);
  try {
    for (let at = 0; at < bytes.byteLength; at += partBytes) {
      const options = { unread, isWhole: false, report: () => undefined };
      await writeChunk(bytes.subarray(at, at + partBytes), exchange, options, writeHead);
    }
    exchange.end();
  } catch (error) {
    response.off("finish", done);
    if (error instanceof AnswerCut) {
      return;
    }
    if (exchange.hasBegun) {
      exchange.abandon(constants.NGHTTP2_INTERNAL_ERROR);
    } else {
      respond(response, 503, {}, "too much waits to be read\n");
    }
  }
}
