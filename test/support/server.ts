import { pino } from "pino";
import type { Reader } from "../../src/catalog/store.ts";
import { createMemoryCatalog } from "../../src/journal/catalog.ts";
import { createServer, type Server, type ServerOptions } from "../../src/server.ts";

/** A server in this process, on a free port of loopback. */
export interface RunningServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, or https with TLS. */
  readonly url: string;
  readonly port: number;
  /** The catalog that it serves. */
  readonly reader: Reader;
  /** The lines of its log, parsed. */
  readonly log: Record<string, unknown>[];
  /** Takes other TLS keys and certificates. */
  readonly setTls: Server["setTls"];
  close(): Promise<void>;
}

/** `connect` where tests run for the front end of Connect alone. */
const frontEnds = process.env["WASMEXT_TEST_FRONT_ENDS"] === "connect" ? "connect" : "all";

/** Starts a server; it is closed at the end of the `await using` block, or by `close`. */
export async function startServer({
  catalog = createMemoryCatalog(),
  ...options
}: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const log: Record<string, unknown>[] = [];
  const write = (line: string): void => void log.push(JSON.parse(line) as Record<string, unknown>);
  const server = createServer({
    catalog,
    host: "127.0.0.1",
    port: 0,
    allowedOrigins: [],
    maxMessageBytes: 4 * 1024 * 1024,
    logger: pino({ level: "debug" }, { write }),
    frontEnds,
    ...options,
  });
  const { port } = await server.listen();
  const scheme = options.tls === undefined ? "http" : "https";
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    port,
    reader: catalog.reader,
    log,
    setTls: (tls) => {
      server.setTls(tls);
    },
    close: () => server.close(),
    [Symbol.asyncDispose]: () => server.close(),
  };
}
