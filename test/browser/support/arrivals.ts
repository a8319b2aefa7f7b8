import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";

/** An HTTP request as it arrived at a server, preflights included. */
export interface Arrival {
  readonly verb: string | undefined;
  readonly contentType: string | undefined;
}

/** The requests that have arrived at a port so far; grows until it is disposed. */
export interface Arrivals extends Disposable {
  readonly all: readonly Arrival[];
}

const channel = "http.server.request.start";

/** Notes what arrives at a server of this process, as Node reports it. */
export function noteArrivals(port: number): Arrivals {
  const all: Arrival[] = [];
  const note = (message: unknown): void => {
    const { request } = message as { request: IncomingMessage };
    if (request.socket.localPort === port) {
      all.push({ verb: request.method, contentType: request.headers["content-type"] });
    }
  };
  subscribe(channel, note);
  return { all, [Symbol.dispose]: () => void unsubscribe(channel, note) };
}
