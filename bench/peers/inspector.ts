/* Servers that can be told to collect their garbage, so that what they hold is what they need. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

/** How a process is started that can be told, and how it is told. */
export interface Inspected {
  readonly environment: Readonly<Record<string, string>>;
  /** Collects all garbage of the process. */
  collectGarbage(): Promise<void>;
}

/** Prepares the inspector of a process, on a free port of loopback. */
export async function createInspected(): Promise<Inspected> {
  const port = await freePort();
  return {
    environment: { NODE_OPTIONS: `--inspect=127.0.0.1:${port}` },
    async collectGarbage() {
      const list = await fetch(`http://127.0.0.1:${port}/json/list`);
      const [target] = (await list.json()) as { webSocketDebuggerUrl: string }[];
      const socket = new WebSocket(target?.webSocketDebuggerUrl ?? "");
      await once(socket, "open");
      socket.send(JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" }));
      await once(socket, "message");
      socket.close();
      await once(socket, "close");
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
