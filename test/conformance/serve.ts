import type { AddressInfo } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { pino } from "pino";
import { createListener } from "../../src/transport/listener.ts";
import { createPort, type TlsOptions } from "../../src/transport/port.ts";

/** What is served for a conformance test. */
export interface ServeOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly maxMessageBytes: number;
  readonly tls?: TlsOptions | undefined;
}

/** Services behind the listener and port of the server, on a free port of loopback. */
export interface Served {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves some services as `wasmext serve` serves the catalog. */
export async function serve({ routes, maxMessageBytes, tls }: ServeOptions): Promise<Served> {
  const shutdown = new AbortController();
  const listener = createListener({
    routes,
    maxMessageBytes,
    requestTimeoutMs: 30_000,
    answerTimeoutMs: 60_000,
    isAllowedOrigin: () => true,
    shutdown: shutdown.signal,
    logger: pino({ level: "silent" }),
    now: () => performance.now(),
  });
  const port = createPort({ listener, tls, prefaceTimeoutMs: 10_000 });
  const address: AddressInfo = await port.listen(0, "127.0.0.1");
  return {
    port: address.port,
    close() {
      shutdown.abort();
      return port.close(1000);
    },
  };
}
