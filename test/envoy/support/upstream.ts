import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What the proxies of the tests lead to. */
export interface Upstream extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** The number of requests so far. */
  readonly requests: number;
}

/** The header in which the upstream says which x-chain headers the request had. */
export const seenHeader = "x-seen-chain";

/** Starts an upstream; it ends at the end of the `await using` block. */
export async function startUpstream(): Promise<Upstream> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    // Headers of one name arrive joined by ", ".
    response.setHeader(seenHeader, request.headers["x-chain"] ?? "");
    response.end(`${request.method ?? ""} ${request.url ?? ""}\n`);
  });
  // Connections that Envoy keeps are not closed under it.
  server.keepAliveTimeout = 0;
  await once(server.listen({ port: 0, host: "127.0.0.1" }), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    address: `127.0.0.1:${port}`,
    get requests() {
      return requests;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server.close(), "close");
      server.closeAllConnections();
      await closed;
    },
  };
}
