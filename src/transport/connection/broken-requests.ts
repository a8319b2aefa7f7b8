import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { NodeResponse } from "../node-http.ts";

/** Answers input that is not a request of HTTP/1.1. */
export interface BrokenRequests {
  /** Tells whether the input of a connection is broken, so that what comes after it is not read. */
  has(socket: Duplex): boolean;
  /**
   * Answers an error of Node's parser when the requests before it have been answered, and ends the
   * connection. Node would answer at once, and the client would take that for the answer to the first
   * of those requests, which may have been a write.
   *
   * @param open - the requests of the connection that are not answered yet
   */
  answer(error: NodeJS.ErrnoException, socket: Duplex, open: Iterable<NodeResponse>): void;
}

/** Creates a record without a broken connection. */
export function createBrokenRequests(): BrokenRequests {
  const broken = new WeakSet<Duplex>();
  return {
    has: (socket) => broken.has(socket),
    answer({ code }, socket, open) {
      if (!socket.writable) {
        socket.destroy();
        return;
      }
      if (broken.has(socket)) {
        return;
      }
      broken.add(socket);
      const before = [...open];
      // The parser finds errors in the body of a request, too: that request is the one to refuse.
      const last = before.at(-1)?.req.complete === false ? before.pop() : undefined;
      let left = before.length;
      const answered = (): void => {
        left--;
        if (left <= 0) {
          end(socket, last?.headersSent === true ? undefined : statusOf(code));
        }
      };
      before.forEach((response) => response.once("close", answered));
      if (left === 0) {
        answered();
      }
    },
  };
}

function end(socket: Duplex, status: number | undefined): void {
  const head = status && `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`;
  socket.end(head && `${head}\r\nConnection: close\r\n\r\n`);
}

/** The status that Node answers with. */
function statusOf(code: string | undefined): number {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return 431;
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return 413;
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return 408;
    default:
      return 400;
  }
}
