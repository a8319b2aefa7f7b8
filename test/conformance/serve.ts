import type { AddressInfo } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { pino } from "pino";
import { anyone } from "../../src/catalog/access/principal.ts";
import { createListener } from "../../src/transport/listener.ts";
import {
  createUnreadAnswers,
  defaultUnreadLimits,
} from "../../src/transport/answer/unread-answers.ts";
import {
  createPort,
  defaultPortLimits,
  type TlsOptions,
} from "../../src/transport/connection/port.ts";
import { createUploads, defaultUploadLimits } from "../../src/transport/request/uploads.ts";
import { createHostPolicy } from "../../src/transport/request/host-policy.ts";
import { createOriginPolicy } from "../../src/transport/request/origin-policy.ts";

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
  const host = "127.0.0.1";
  const isAllowedOrigin = createOriginPolicy([], host);
  const now = (): number => performance.now();
  const listener = createListener({
    routes,
    maxMessageBytes,
    maxStreamRequestBytes: () => maxMessageBytes,
    requestTimeoutMs: 30_000,
    unread: createUnreadAnswers(defaultUnreadLimits, now),
    uploads: createUploads(defaultUploadLimits),
    hostPolicy: createHostPolicy({ host, allowedHosts: [], isAllowedOrigin }),
    isAllowedOrigin,
    authenticate: () => anyone,
    readiness: { isReady: true },
    shutdown: shutdown.signal,
    logger: pino({ level: "silent" }),
    now,
  });
  const port = createPort({
    listener,
    tls,
    limits: defaultPortLimits,
    now,
  });
  const address: AddressInfo = await port.listen(0, host);
  return {
    port: address.port,
    close() {
      shutdown.abort();
      return port.close(1000);
    },
  };
}
