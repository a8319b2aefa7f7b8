/* Servers that can be told to collect their garbage, so that what they hold is what they need. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

/** How a process is started that can be told, and how it is told. */
export interface Inspected {
  readonly environment: Readonly<Record<string, string>>;
  /** Collects all garbage of the process. */
  collectGarbage(): Promise<void>;
  /** What the process holds, in bytes: its heap, and buffers outside of it. */
  heldBytes(): Promise<number>;
}

/** Prepares the inspector of a process, on a free port of loopback. */
export async function createInspected(): Promise<Inspected> {
  const port = await freePort();
  const ask = async (method: string, params: object = {}): Promise<string> => {
    const list = await fetch(`http://127.0.0.1:${port}/json/list`);
    const [target] = (await list.json()) as { webSocketDebuggerUrl: string }[];
    const socket = new WebSocket(target?.webSocketDebuggerUrl ?? "");
    await once(socket, "open");
    socket.send(JSON.stringify({ id: 1, method, params }));
    const [{ data }] = (await once(socket, "message")) as [{ readonly data: string }];
    socket.close();
    await once(socket, "close");
    return data;
  };
  return {
    environment: { NODE_OPTIONS: `--inspect=127.0.0.1:${port}` },
    async collectGarbage() {
      await ask("HeapProfiler.collectGarbage");
    },
    async heldBytes() {
      await ask("HeapProfiler.collectGarbage");
      const expression =
        "(({heapUsed, arrayBuffers}) => heapUsed + arrayBuffers)(process.memoryUsage())";
      const answer = await ask("Runtime.evaluate", { expression, returnByValue: true });
      return (JSON.parse(answer) as { result: { result: { value: number } } }).result.result.value;
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
