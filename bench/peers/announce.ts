import type { AddressInfo, Server } from "node:net";

/** Listens on a free port of loopback, and says which, as `startProcess` expects it. */
export function announce(server: Server): void {
  server.listen(0, "127.0.0.1", () => {
    print((server.address() as AddressInfo).port);
  });
}

/** Says the port that a peer listens on. */
export function print(port: number): void {
  process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
}
