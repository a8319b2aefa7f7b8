/* One address for several servers on loopback: each connection goes to the first of them that takes it. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** An address; it ends, with its connections, at the end of the `await using` block. */
export interface Balancer extends AsyncDisposable {
  readonly url: string;
}

/** Opens an address for servers on some ports. */
export async function openBalancer(...ports: readonly number[]): Promise<Balancer> {
  const sockets = new Set<Socket>();
  const add = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
  };
  const join = (client: Socket, [port, ...others]: readonly number[]): void => {
    if (port === undefined) {
      client.destroy();
      return;
    }
    const server = add(connect(port, "127.0.0.1"));
    let isConnected = false;
    server.once("connect", () => {
      isConnected = true;
      client.pipe(server).pipe(client);
      client.once("close", () => server.destroy());
    });
    server.once("close", () => {
      if (isConnected) {
        client.destroy();
      } else {
        join(client, others);
      }
    });
  };
  const balancer = createServer((client) => {
    join(add(client), ports);
  });
  await once(balancer.listen({ port: 0, host: "127.0.0.1" }), "listening");
  const { port } = balancer.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(balancer.close(), "close");
      for (const socket of sockets) {
        socket.destroy();
      }
      await closed;
    },
  };
}
