/*
 * HTTP as a client that checks nothing would speak it: what is sent arrives as it was written.
 */
import { request as httpRequest } from "node:http";
import { connect as connectHttp2, constants, type IncomingHttpHeaders } from "node:http2";
import { connect as connectTcp } from "node:net";

/** Longest wait for a server that owes an answer, in ms. */
const patience = 5_000;

/** What is sent. */
export interface Sent {
  readonly path: string;
  /** Default: POST. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** HTTP/1.1: sends the body in chunks, without a Content-Length. */
  readonly chunked?: boolean;
  /** Leaves the body open after what is sent of it. */
  readonly unfinished?: boolean;
}

/** What comes back. */
export interface Received {
  readonly status: number;
  /** Headers, and trailers where there are any. */
  readonly headers: Headers;
  readonly body: Buffer;
}

/** One request over HTTP/1.1, on a connection of its own. */
export function overHttp1(port: number, sent: Sent): Promise<Received> {
  const { promise, resolve, reject } = Promise.withResolvers<Received>();
  const { path, method = "POST", headers = {}, body = "" } = sent;
  const length = sent.chunked === true ? {} : { "Content-Length": Buffer.byteLength(body) };
  const request = httpRequest(
    {
      ...{ host: "127.0.0.1", port, path, method, agent: false },
      headers: { ...length, ...headers },
      signal: AbortSignal.timeout(patience),
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        request.destroy();
        resolve({
          status: response.statusCode ?? 0,
          headers: toHeaders({ ...response.headers, ...response.trailers }),
          body: Buffer.concat(chunks),
        });
      });
    },
  );
  request.on("error", reject);
  if (sent.unfinished === true) {
    request.write(body);
  } else {
    request.end(body);
  }
  return promise;
}

/** One request over HTTP/2 with prior knowledge, on a connection of its own. */
export async function overHttp2(port: number, sent: Sent): Promise<Received> {
  const { promise, resolve, reject } = Promise.withResolvers<Received>();
  const { path, method = "POST", headers = {}, body = "" } = sent;
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", reject);
  const stream = session.request(
    { ":path": path, ":method": method, ...headers },
    { endStream: false, signal: AbortSignal.timeout(patience) },
  );
  let answer: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on("response", (head) => (answer = { ...answer, ...head }));
  stream.on("trailers", (trailers: IncomingHttpHeaders) => (answer = { ...answer, ...trailers }));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", reject);
  // The answer may be complete while the request is not.
  stream.on("end", () => {
    const { ":status": status, ...rest } = answer;
    resolve({ status: Number(status), headers: toHeaders(rest), body: Buffer.concat(chunks) });
  });
  if (sent.unfinished === true) {
    stream.write(body);
  } else {
    stream.end(body);
  }
  try {
    return await promise;
  } finally {
    // Takes back what is left of the request, and lets go in good order.
    stream.close(constants.NGHTTP2_CANCEL);
    session.close();
  }
}

/**
 * Sends bytes on a connection, and returns what came back by the time the server ended it.
 *
 * @param ends - whether the client says that it will send no more
 * @param patienceMs - how long the server may take to end the connection
 */
export function overTcp(
  port: number,
  bytes: Uint8Array | string,
  { ends = false, patienceMs = patience } = {},
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  const socket = connectTcp({ host: "127.0.0.1", port }, () => {
    socket.write(bytes);
    if (ends) {
      socket.end();
    }
  });
  const timer = setTimeout(() => {
    socket.resetAndDestroy();
    reject(new Error(`the server left the connection open for ${patienceMs} ms`));
  }, patienceMs);
  socket.on("data", (chunk) => chunks.push(chunk));
  // A connection that is reset has ended too.
  socket.on("error", () => undefined);
  socket.on("close", () => {
    clearTimeout(timer);
    resolve(Buffer.concat(chunks));
  });
  return promise;
}

function toHeaders(raw: Readonly<Record<string, string | number | string[] | undefined>>): Headers {
  return new Headers(
    Object.entries(raw).map(([name, value]): [string, string] => [name, String(value)]),
  );
}
