import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type {
  Http2ServerRequest,
  Http2ServerResponse,
  Http2Session,
  ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";

/** A request as Node hands it over, from HTTP/1.1 or HTTP/2. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** A response as Node takes it, for HTTP/1.1 or HTTP/2. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** What a request says before its body, in either version. */
export interface RequestHead {
  readonly method?: string | undefined;
  /** Its target. */
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Names and values by turns, as they were sent. */
  readonly rawHeaders: readonly string[];
  readonly httpVersion: string;
  readonly httpVersionMajor: number;
  /** The host of HTTP/2. */
  readonly authority?: string | undefined;
}

/** A connection, in either version. */
export type Connection = Socket | Http2Session;

/** Handles requests of both versions. Those of a connection over the limit are to be refused. */
export type NodeListener = (
  request: NodeRequest,
  response: NodeResponse,
  isOverLimit?: boolean,
) => void;

/** Handles the requests of a port. */
export interface Listener {
  /** Handles a request of either version of HTTP. */
  readonly request: NodeListener;
  /** Returns what handles an HTTP/2 stream as it is; undefined if Node has to make a request of it. */
  readonly stream: (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
  ) => (() => void) | undefined;
}

/** The path of a request, without its query. */
export function pathOf(request: { readonly url?: string | undefined }): string {
  return splitTarget(request.url).path.split("?", 1)[0] ?? "";
}

/** The parameters in the query of a request. */
export function queryOf({ url = "" }: { readonly url?: string | undefined }): URLSearchParams {
  const at = url.indexOf("?");
  return new URLSearchParams(at === -1 ? "" : url.slice(at));
}

/** The hosts that a request says it is for: in its target, its authority and its Host header. */
export function hostsOf({ url, authority, headers }: RequestHead): string[] {
  const hosts = [splitTarget(url).authority, authority, headers.host];
  return hosts.filter((host) => host !== undefined);
}

/** A target in absolute form (RFC 9112, section 3.2.2) begins with a scheme and an authority. */
function splitTarget(url = ""): { authority?: string; path: string } {
  const [head, authority] = /^https?:\/\/([^/?#]*)/i.exec(url) ?? [];
  if (head === undefined || authority === undefined) {
    return { path: url };
  }
  const path = url.slice(head.length);
  return { authority, path: path.startsWith("/") ? path : `/${path}` };
}

/** The socket of a connection; undefined once an HTTP/2 connection has ended. */
export function socketOf(connection: Connection): Socket | undefined {
  return "goaway" in connection ? connection.socket : connection;
}

/** The addresses of connections: reading one takes long, and a connection has many calls. */
const peers = new WeakMap<Connection, string>();

/** The address and the port of the other side of a connection. */
export function peerOf(connection: Connection): string {
  let peer = peers.get(connection);
  if (peer === undefined) {
    const { remoteAddress = "unknown", remotePort = 0 } = socketOf(connection) ?? {};
    peer = `${remoteAddress}:${remotePort}`;
    peers.set(connection, peer);
  }
  return peer;
}

/** Tells whether nothing can be written to a response any more. */
export function isGone(response: NodeResponse): boolean {
  return "stream" in response
    ? response.stream.destroyed || response.stream.closed
    : response.destroyed;
}

/** The connection that a request has come on. An HTTP/2 stream that has ended has none any more. */
export function connectionOf(request: NodeRequest): Connection {
  // Node makes a socket for each HTTP/2 request, so that does not identify the connection.
  return "stream" in request ? (request.stream.session ?? request.socket) : request.socket;
}

/** Ends a response at once, with a code of HTTP/2; HTTP/1.1 has none, and loses its connection. */
export function abandon(response: NodeResponse, http2Code: number): void {
  if ("stream" in response) {
    response.stream.close(http2Code);
  } else {
    response.destroy();
  }
}

/** Sets the head of an answer; it goes out with the first bytes of the body. */
export function setHead(
  response: NodeResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, value);
  }
}

/** Writes a part of a body; returns false if the client has to read before there is room for more. */
export function writePart(response: NodeResponse, part: Uint8Array): boolean {
  return "stream" in response ? response.write(part) : response.write(part);
}

/** Sends the head of an answer at once. */
export function flushHead(response: NodeResponse): void {
  if ("stream" in response) {
    response.writeHead(response.statusCode);
  } else {
    response.flushHeaders();
  }
}

/** What a client expects before it sends its body, in lower case; empty for nothing. */
export function expectationOf({ headers }: RequestHead): string {
  return (headers.expect ?? "").toLowerCase();
}

/** Tells whether a client waits with its body until it is told to send it (RFC 9110, section 10.1.1). */
export function expectsContinue(head: RequestHead): boolean {
  return expectationOf(head) === "100-continue";
}

/** Tells a client that waits with its body to send it. */
export function askForBody(request: NodeRequest, response: NodeResponse): void {
  if (expectsContinue(request) && !response.headersSent && !isGone(response)) {
    response.writeContinue();
  }
}
