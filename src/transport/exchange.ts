/*
 * A request and its answer, whatever version of HTTP they come in. HTTP/2 streams can be used as they are:
 * the requests and responses that Node makes of them cost as much as all the rest of a small call.
 */
import {
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type Http2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Readable } from "node:stream";
import type { Origin } from "../methods/audit.ts";
import {
  abandon,
  type Connection,
  connectionOf,
  isGone,
  type NodeRequest,
  type NodeResponse,
  peerOf,
  type RequestHead,
  setHead,
} from "./node-http.ts";

type Fields = Readonly<Record<string, string>>;

/** Where the body of an answer goes. */
export interface Sink {
  /** Returns false if the client has to read before there is room for more. */
  write(part: Uint8Array): boolean;
  readonly writableHighWaterMark: number;
  readonly writableLength: number;
  readonly writableFinished: boolean;
  on(event: "drain" | "close", listener: () => void): unknown;
  off(event: "drain" | "close", listener: () => void): unknown;
}

/** A request, and what answers it. */
export interface Exchange {
  readonly head: RequestHead;
  readonly connection: Connection;
  readonly body: Readable;
  readonly sink: Sink;
  /** Whether nothing can be answered any more. */
  readonly isGone: boolean;
  /** Whether the answer waits for others of its connection to be read, as HTTP/1.1 sends one by one. */
  readonly isQueued: boolean;
  /** Whether the head of the answer is on its way. */
  readonly hasBegun: boolean;
  /** Whether all of the answer has been sent. */
  readonly isAnswered: boolean;
  /** Calls back when it has ended. */
  onClose(callBack: () => void): void;
  /**
   * Sets the head of the answer. It goes out with the first bytes of the body.
   *
   * @param hasTrailers - whether something follows the body
   */
  begin(status: number, headers: Fields, hasTrailers: boolean): void;
  /** Ends the answer, with the last of the body, and what follows it. */
  end(last?: Uint8Array, trailers?: Fields): void;
  /** Ends it at once, with a code of HTTP/2; HTTP/1.1 has none, and loses its connection. */
  abandon(http2Code: number): void;
  /** Node's response, for answers to what is not a usual call. */
  readonly response: NodeResponse;
}

/** The exchange of a request as Node hands it over. */
export function exchangeOf(request: NodeRequest, response: NodeResponse): Exchange {
  // A peer that closes the connection during an answer is not a server error.
  response.on("error", () => undefined);
  return {
    head: request,
    connection: connectionOf(request),
    body: request,
    sink: response,
    get isGone() {
      return isGone(response);
    },
    get isQueued() {
      return !("stream" in response) && response.socket === null;
    },
    get hasBegun() {
      return response.headersSent;
    },
    get isAnswered() {
      return response.writableEnded && response.writableFinished;
    },
    onClose(callBack) {
      response.once("close", callBack);
    },
    begin(status, headers) {
      setHead(response, status, headers);
    },
    end(last, trailers) {
      if (trailers !== undefined) {
        response.addTrailers(trailers);
      }
      if (last === undefined) {
        response.end();
      } else {
        response.end(last);
      }
    },
    abandon: (http2Code) => {
      abandon(response, http2Code);
    },
    response,
  };
}

/** The head of a request of HTTP/2. */
export function headOfStream(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
): RequestHead {
  return {
    method: headers[":method"],
    url: headers[":path"],
    headers,
    rawHeaders,
    httpVersion: "2.0",
    httpVersionMajor: 2,
    authority: headers[":authority"],
  };
}

/** The exchange of an HTTP/2 stream, whose errors somebody listens for. */
export function streamExchange(
  stream: ServerHttp2Stream,
  session: Http2Session,
  head: RequestHead,
): Exchange {
  return new StreamExchange(stream, session, head);
}

/** A class, since one is made for each call: methods are shared, closures would be made anew. */
class StreamExchange implements Exchange {
  readonly head: RequestHead;
  readonly connection: Http2Session;
  readonly isQueued = false;
  readonly #stream: ServerHttp2Stream;
  #response: NodeResponse | undefined;
  #trailers: Fields = {};
  #hasEnded = false;

  constructor(stream: ServerHttp2Stream, session: Http2Session, head: RequestHead) {
    this.head = head;
    this.connection = session;
    this.#stream = stream;
  }

  get body(): Readable {
    return this.#stream;
  }

  get sink(): Sink {
    return this.#stream;
  }

  get isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  get hasBegun(): boolean {
    return this.#stream.headersSent;
  }

  get isAnswered(): boolean {
    // Node ends a stream that is reset, too.
    const hasEnded = this.#hasEnded || this.#response?.writableEnded === true;
    return hasEnded && this.#stream.writableFinished;
  }

  onClose(callBack: () => void): void {
    this.#stream.on("close", callBack);
  }

  begin(status: number, fields: Fields, hasTrailers: boolean): void {
    const options = hasTrailers ? waitForTrailers : undefined;
    this.#stream.respond({ ":status": status, ...fields }, options);
  }

  end(last?: Uint8Array, trailers?: Fields): void {
    if (trailers !== undefined) {
      this.#trailers = trailers;
      this.#stream.on("wantTrailers", this.#sendTrailers);
    }
    this.#hasEnded = true;
    this.#stream.end(last);
  }

  readonly #sendTrailers = (): void => {
    this.#stream.sendTrailers(this.#trailers);
  };

  abandon(http2Code: number): void {
    this.#stream.close(http2Code);
  }

  get response(): NodeResponse {
    return (this.#response ??= new Http2ServerResponse(this.#stream));
  }
}

const waitForTrailers = { waitForTrailers: true };

/** Where a call comes from. */
export function originOf({ head, connection }: Exchange): Origin {
  const { headers, authority = headers.host } = head;
  const requestId = headers["x-request-id"];
  return {
    peer: peerOf(connection),
    host: authority,
    requestId: Array.isArray(requestId) ? requestId[0] : requestId,
  };
}
