/*
 * An HTTP/2 connection to one endpoint, which is opened when it is needed. Connect's own session manager
 * lets some errors end the process, such as those of a server that does not speak HTTP/2, and it cannot be
 * told to give a connection up that hangs without an error.
 */
import * as http2 from "node:http2";
import type { ConnectError } from "@connectrpc/connect";
import type { createGrpcTransport } from "@connectrpc/connect-node";

/** TLS files in PEM. */
export interface EtcdTls {
  /** Certificates of the authorities that signed etcd's. Default: those that Node knows. */
  readonly ca?: Buffer;
  /** The client certificate, and its key. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

type SessionManager = NonNullable<Parameters<typeof createGrpcTransport>[0]["sessionManager"]>;

/** A connection to one endpoint. */
export interface Connection extends SessionManager {
  /** Ends all calls on it with an error. The next call opens a new one. */
  reset(reason: string): void;
}

/**
 * Is raised if a call fails before any of it is sent. It does not extend ConnectError, whose `instanceof`
 * would then hold for every ConnectError.
 */
class NotConnected extends Error {
  override readonly name = "NotConnected";
}

/** Tells whether a call has failed before any of it was sent. */
export function isNotConnected({ cause }: ConnectError): boolean {
  return cause instanceof NotConnected;
}

const windowBytes = 4 * 1024 * 1024;

/**
 * Creates a connection, which is not open yet.
 *
 * @param origin - such as http://127.0.0.1:2379
 * @param timeoutMs - within what time it has to be open
 */
export function createConnection(origin: string, tls: EtcdTls, timeoutMs: number): Connection {
  let opening: Promise<http2.ClientHttp2Session> | undefined;
  let current: http2.ClientHttp2Session | undefined;

  const open = (): Promise<http2.ClientHttp2Session> => {
    const session = http2.connect(origin, {
      ...tls,
      settings: { initialWindowSize: windowBytes },
      maxSessionMemory: 256,
    });
    current = session;
    const { promise, resolve, reject } = Promise.withResolvers<http2.ClientHttp2Session>();
    const fail = (problem: string): void => {
      reject(new NotConnected(`${origin}: ${problem}`));
      session.destroy();
    };
    const timer = setTimeout(() => {
      fail(`no connection within ${timeoutMs} ms`);
    }, timeoutMs);
    const forget = (): void => {
      clearTimeout(timer);
      if (current === session) {
        current = undefined;
        opening = undefined;
      }
      reject(new NotConnected(`${origin}: the connection was closed`));
    };
    // The listener stays: an error without a listener ends the process.
    session.on("error", (error: Error & { readonly code?: string }) => {
      // Of several addresses that were tried, the error has no message.
      fail(error.message === "" ? (error.code ?? "no connection") : error.message);
    });
    session.on("close", forget);
    session.on("goaway", forget);
    // A server that speaks HTTP/2 begins with its settings.
    session.once("remoteSettings", () => {
      clearTimeout(timer);
      session.setLocalWindowSize(windowBytes * 4);
      resolve(session);
    });
    return promise;
  };

  return {
    authority: new URL(origin).origin,
    async request(method, path, headers, options) {
      opening ??= open();
      const session = await opening;
      try {
        return session.request({ ...headers, ":method": method, ":path": path }, options);
      } catch (error) {
        session.destroy();
        const problem = error instanceof Error ? error.message : String(error);
        throw new NotConnected(`${origin}: ${problem}`);
      }
    },
    notifyResponseByteRead: () => undefined,
    reset(reason) {
      const session = current;
      current = undefined;
      opening = undefined;
      session?.destroy(new Error(reason));
    },
  };
}
