import { constants } from "node:http2";
import { setTimeout } from "node:timers/promises";
import type { NodeRequest, NodeResponse } from "../node-http.ts";

/**
 * Ends an HTTP/2 stream that has been answered before its request was complete: the client is told
 * that no more is wanted (RFC 9113, section 8.1). Node would leave the stream open until the client
 * ends it, and count it against the connection.
 */
export function endUnfinishedRequest(response: NodeResponse): void {
  if ("stream" in response) {
    // The trailers are the last of an answer. Node sends them in another listener of this event.
    response.stream.once("wantTrailers", () => {
      refuseRest(response);
    });
  }
}

/** The same for an answer whose end has been written, and that has no trailers. */
export function refuseRest(response: NodeResponse): void {
  if (!("stream" in response)) {
    return;
  }
  const { stream } = response;
  setImmediate(() => {
    if (!stream.destroyed && !stream.readableEnded) {
      stream.close(constants.NGHTTP2_NO_ERROR);
    }
  });
}

/** The time and the amount that a client may still send after the answer. */
const discardMs = 1_000;
const discardBytes = 16 * 1024 * 1024;

/**
 * Discards what a client still sends over HTTP/1.1, until it has sent all, or enough. If the connection
 * ended earlier, the client's system would drop the answer.
 */
export async function discardRest(request: NodeRequest): Promise<void> {
  const over = new AbortController();
  let bytes = 0;
  const enough = (): void => {
    over.abort();
  };
  request.on("data", (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
    if (bytes > discardBytes) {
      enough();
    }
  });
  request.once("end", enough);
  request.once("close", enough);
  await setTimeout(discardMs, undefined, { signal: over.signal }).catch(() => undefined);
}
