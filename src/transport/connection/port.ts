/*
 * One port for HTTP/1.1 and HTTP/2, with and without TLS.
 *
 * Browsers speak HTTP/1.1 without TLS, gRPC clients HTTP/2 with prior knowledge, and Node has no
 * server for both. Here the HTTP/1.1 server listens, and a connection that begins with the preface of
 * HTTP/2 is handed to an HTTP/2 server instead.
 *
 * 1. A connection belongs to one server from its first 24 bytes on; until then to `chooseProtocol`.
 * 2. Every connection is in `sockets` until it ends, so closing the port can end all of them.
 * 3. A request is handed over when it is its turn, and a connection over the limit gets refusals.
 * 4. A closing port says with GOAWAY (HTTP/2) or with the next answer (HTTP/1.1) that a connection ends, and
 *    answers every request that has come to it before that.
 */
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import {
  constants,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer as createHttpsServer, Server as HttpsServer } from "node:https";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { createArrivals } from "./arrivals.ts";
import { createBrokenRequests } from "./broken-requests.ts";
import { chooseProtocol } from "./choose-protocol.ts";
import { type Connection as LimitedConnection, createConnections } from "./connections.ts";
import {
  connectionOf,
  isGone,
  type Listener,
  type NodeListener,
  type NodeResponse,
} from "../node-http.ts";
import { createCoolOff } from "./cool-off.ts";
import { createPipelined } from "./pipelined.ts";
import { endIdle, limitSession, maxSessionMemory, resetsForNode } from "./sessions.ts";

/** A private key and its certificate chain, both in PEM. */
export interface TlsOptions {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Asks clients for certificates, and verifies them against this CA in PEM, if given. */
  readonly clientCa?: string | Buffer | undefined;
}

/** The limits of a port. */
export interface PortLimits {
  /** How many connections may be open; see connections.ts for those over it. */
  readonly maxConnections: number;
  /** How many streams one HTTP/2 connection may have open at once. */
  readonly maxStreams: number;
  /** How long a connection may take to show its protocol, and the head of a request to arrive, in ms. */
  readonly headerTimeoutMs: number;
  /** How long a connection without a request is kept, in ms. */
  readonly idleTimeoutMs: number;
}

/** The default limits. */
export const defaultPortLimits: PortLimits = {
  maxConnections: 10_000,
  maxStreams: 1_000,
  headerTimeoutMs: 10_000,
  idleTimeoutMs: 5 * 60_000,
};

/** What a port needs. */
export interface PortOptions {
  readonly listener: Listener;
  /** Speaks TLS only, if given. */
  readonly tls?: TlsOptions | undefined;
  readonly limits: PortLimits;
  /** Milliseconds since any fixed time, for durations. */
  readonly now: () => number;
}

/** A port that serves HTTP/1.1 and HTTP/2. */
export interface Port {
  /** Begins to accept connections. Rejects if it cannot listen on the address. */
  listen(port: number, host: string): Promise<AddressInfo>;
  /**
   * Replaces the key and certificates for new connections; open ones stay. Raises if they are unusable, or
   * if the port has no TLS.
   */
  setTls(tls: TlsOptions): void;
  /**
   * Stops accepting, lets what is under way end, and resolves when every connection has ended. What
   * is left after `graceMs` is cut off.
   */
  close(graceMs: number): Promise<void>;
}

/** Lets the kernel detect a peer that is gone without a sign, such as one that lost power. */
const keepAlive = { keepAlive: true, keepAliveInitialDelay: 60_000 };

/** How long a closing port still answers new requests on open connections, in ms. */
const drainMs = 500;

/** How long a peer may take to end its half of a connection after we have ended ours, in ms. */
const lingerMs = 500;

/** Creates a port; it listens nowhere yet. Raises if key and certificate are unusable. */
export function createPort(options: PortOptions): Port {
  const { listener, tls, now } = options;
  const { maxConnections, maxStreams, headerTimeoutMs, idleTimeoutMs } = options.limits;
  const sockets = new Set<Socket>();
  const undecided = new Set<Socket>();
  const connections = createConnections(maxConnections);
  const coolOff = createCoolOff(now);
  const sessions = new Set<ServerHttp2Session>();
  const responses = new Set<NodeResponse>();
  let isClosing = false;
  let hasDrained = false;

  /** The connections of HTTP/1.1, and what is open on them. */
  const http1Sockets = new Set<Socket>();
  const pipelined = createPipelined();
  const broken = createBrokenRequests();
  /** Ends connections of HTTP/1.1 without a request, or with a part of a head alone. */
  const endWaiting = (): void => {
    for (const socket of http1Sockets) {
      if (pipelined.of(socket).size === 0) {
        socket.destroy();
      }
    }
  };
  /** Calls back when what was on the last connections has ended, too, which takes some turns more. */
  const whenEnded = (callBack: () => void): void => {
    setImmediate(
      sockets.size > 0
        ? () => {
            whenEnded(callBack);
          }
        : callBack,
    );
  };
  const connectionOfRequest = new WeakMap<object, LimitedConnection>();
  const arrivals = createArrivals(now);
  const tracked: NodeListener = (request, response) => {
    if (request.httpVersionMajor === 1) {
      if (broken.has(request.socket)) {
        return;
      }
      if (!pipelined.add(request.socket, response)) {
        request.socket.destroy();
        return;
      }
    }
    responses.add(response);
    const key = connectionOf(request);
    const connection = connectionOfRequest.get(key);
    connection?.begin();
    response.once("close", () => {
      responses.delete(response);
      connection?.finish();
      if (hasDrained) {
        endWaiting();
      }
    });
    const isOverLimit = connection?.isOverLimit === true;
    if (isClosing || isOverLimit) {
      askToClose(response);
    }
    if (isOverLimit && "stream" in response) {
      // Ends when its requests have been answered.
      response.stream.session?.close();
    }
    arrivals.add(
      key,
      () => isGone(response),
      () => {
        listener.request(request, response, isOverLimit);
      },
    );
  };

  const http2 = createHttp2Server(
    {
      settings: { maxConcurrentStreams: maxStreams },
      maxSessionMemory,
      ...resetsForNode,
    },
    tracked,
  );
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    const { remoteAddress = "" } = session.socket;
    const onFlood = (): void => {
      coolOff.add(remoteAddress);
    };
    limitSession(session, { idleMs: idleTimeoutMs, onFlood, now });
    const connection = connections.of(session.socket);
    if (connection !== undefined) {
      connectionOfRequest.set(session, connection);
      connection.end = () => {
        endIdle(session);
      };
    }
    if (isClosing) {
      announceEnd(session);
    }
  });
  serveStreams(http2, (stream, headers, rawHeaders) => {
    const { session } = stream;
    const connection = session && connectionOfRequest.get(session);
    const handOver = listener.stream(stream, headers, rawHeaders);
    if (session === undefined || handOver === undefined || connection?.isOverLimit === true) {
      return false;
    }
    // Its connection may end with an error before it is handed over, too.
    stream.on("error", () => undefined);
    connection?.begin();
    stream.once("close", () => connection?.finish());
    arrivals.add(session, () => stream.destroyed || stream.closed, handOver);
    return true;
  });
  serveExpectations(http2, tracked);
  // Node would answer, and leave the stream open.
  http2.on("connect", tracked);
  // A broken peer ends its own session; Node reports that here, and has closed the session itself.
  http2.on("sessionError", () => undefined);

  const http1Options = {
    ...keepAlive,
    headersTimeout: headerTimeoutMs,
    keepAliveTimeout: idleTimeoutMs,
    // Bodies have a time limit of their own, which ends with an answer.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(1000, headerTimeoutMs),
  };
  const http1 =
    tls === undefined
      ? createHttpServer(http1Options, tracked)
      : createHttpsServer(
          {
            ...contextOf(tls),
            ...http1Options,
            // A client without a verified certificate is refused by the call that needs one.
            requestCert: tls.clientCa !== undefined,
            rejectUnauthorized: false,
            ALPNProtocols: ["h2", "http/1.1"],
            handshakeTimeout: headerTimeoutMs,
          },
          tracked,
        );
  serveExpectations(http1, tracked);
  http1.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (http1Sockets.has(socket)) {
      broken.answer(error, socket, pipelined.of(socket));
    } else {
      // A TLS handshake has failed or timed out; nothing can be sent over it.
      socket.destroy();
    }
  });
  const serveHttp1 = takeOverConnections(
    http1,
    tls === undefined ? "connection" : "secureConnection",
  );
  // Is emitted for every connection, before TLS; destroying one ends what TLS has made of it.
  http1.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    if (connections.open(socket) === undefined) {
      socket.destroy();
    }
  });
  serveHttp1.onConnection((socket) => {
    undecided.add(socket);
    socket.once("close", () => undecided.delete(socket));
    // We have said all; a peer that keeps its half open must not keep the connection.
    socket.once("finish", () => setTimeout(() => socket.destroy(), lingerMs).unref());
    coolOff.admit(socket, () => {
      choose(socket);
    });
  });
  const choose = (socket: Socket): void => {
    const { remoteAddress = "" } = socket;
    const onFlood = (): void => {
      coolOff.add(remoteAddress);
    };
    chooseProtocol(socket, { timeoutMs: headerTimeoutMs, onFlood }, (protocol) => {
      undecided.delete(socket);
      if (protocol === "http2") {
        // HTTP/1.1 servers keep a connection whose client has ended its half; a session would leak.
        socket.allowHalfOpen = false;
        http2.emit("connection", socket);
      } else {
        const connection = connections.of(socket);
        if (connection !== undefined) {
          connectionOfRequest.set(socket, connection);
        }
        http1Sockets.add(socket);
        socket.once("close", () => http1Sockets.delete(socket));
        serveHttp1.serve(socket);
      }
    });
  };

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        http1.once("error", reject);
        http1.listen(port, host, () => {
          http1.off("error", reject);
          resolve(http1.address() as AddressInfo);
        });
      }),
    setTls(changed) {
      if (!(http1 instanceof HttpsServer)) {
        throw new Error("a port without TLS has no certificate");
      }
      http1.setSecureContext(contextOf(changed));
    },
    close: (graceMs) =>
      new Promise((resolve) => {
        isClosing = true;
        const cutOff = setTimeout(() => {
          for (const socket of sockets) {
            socket.destroy();
          }
        }, graceMs);
        const drained = setTimeout(() => {
          hasDrained = true;
          endWaiting();
          for (const session of sessions) {
            session.close();
          }
          for (const socket of undecided) {
            socket.destroy();
          }
          if (tls !== undefined) {
            // A handshake begins with the client; until then nothing has been written.
            for (const socket of sockets) {
              if (socket.bytesWritten === 0) {
                socket.destroy();
              }
            }
          }
        }, drainMs);
        // Not the HTTP server's own `close`, which cuts idle connections off at once: a request may
        // be on its way on any of them. Calls back when the last connection is gone.
        NetServer.prototype.close.call(http1, () => {
          clearTimeout(cutOff);
          clearTimeout(drained);
          whenEnded(resolve);
        });
        sessions.forEach(announceEnd);
        responses.forEach(askToClose);
      }),
  };
}

/** TLS options in the form of Node. */
function contextOf({ cert, key, clientCa }: TlsOptions): SecureContextOptions {
  return { cert, key, ...(clientCa !== undefined && { ca: clientCa }) };
}

/**
 * Tells an HTTP/2 client to open no more streams, and which is the last one that is served. Node ignores all
 * that come after, whatever GOAWAY says, so a client has to know that it can send those again elsewhere
 * (RFC 9113, section 6.8).
 */
function announceEnd(session: ServerHttp2Session): void {
  if (!session.destroyed) {
    session.goaway(constants.NGHTTP2_NO_ERROR);
  }
}

/** Tells an HTTP/1.1 client that its connection ends with this answer. HTTP/2 has GOAWAY for that. */
function askToClose(response: NodeResponse): void {
  if (response.req.httpVersionMajor === 1 && !response.headersSent) {
    response.setHeader("Connection", "close");
  }
}

/** Serves streams as they are, and leaves those that are not taken to what Node makes of them. */
function serveStreams(
  server: Http2Server,
  takes: (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
  ) => boolean,
): void {
  const [own] = server.listeners("stream") as ((
    stream: ServerHttp2Stream,
    ...rest: unknown[]
  ) => void)[];
  if (own === undefined) {
    throw new Error("this version of Node serves HTTP/2 without a listener for stream");
  }
  server.off("stream", own);
  server.on("stream", (stream, headers, flags, rawHeaders) => {
    if (!takes(stream, headers, rawHeaders)) {
      own.call(server, stream, headers, flags, rawHeaders);
    }
  });
}

/** Serves requests that wait with their bodies; Node would ask for each body, however large it is to be. */
function serveExpectations(
  server: { on: (event: string, listener: NodeListener) => unknown },
  listener: NodeListener,
): void {
  server.on("checkContinue", listener);
  server.on("checkExpectation", listener);
}

/** Replaces a server's own listener by one of ours, which can still call it. */
function takeOverConnections(server: HttpServer, event: "connection" | "secureConnection") {
  const [own] = server.listeners(event) as ((socket: Socket) => void)[];
  if (own === undefined) {
    throw new Error(`this version of Node serves HTTP/1.1 without a listener for ${event}`);
  }
  server.off(event, own);
  return {
    serve: own.bind(server),
    onConnection: (listener: (socket: Socket) => void): void => {
      server.on(event, listener);
    },
  };
}
