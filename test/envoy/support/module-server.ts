/* An HTTP server of modules on loopback. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { testModule } from "./module.ts";

/** A server; it ends at the end of the `await using` block. */
export interface ModuleServer extends AsyncDisposable {
  /** The url of a variant of the test module, padded to about a number of bytes; see testModule. */
  url(variant?: string, padding?: number): string;
  /** How often modules were asked for. */
  readonly requests: number;
  /** Whether it refuses all requests. */
  isDown: boolean;
}

/** Starts a server on a free port. */
export async function startModuleServer(): Promise<ModuleServer> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    if (modules.isDown) {
      response.destroy();
      return;
    }
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    const variant = pathname.slice(1).replace(/\.wasm$/, "");
    void testModule(variant, Number(searchParams.get("padding"))).then(({ bytes }) => {
      response.end(bytes);
    });
  });
  await once(server.listen({ port: 0, host: "127.0.0.1" }), "listening");
  const { port } = server.address() as AddressInfo;
  const modules = {
    isDown: false,
    get requests() {
      return requests;
    },
    url: (variant = "", padding = 0) =>
      `http://127.0.0.1:${port}/${variant}.wasm${padding === 0 ? "" : `?padding=${padding}`}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server.close(), "close");
      server.closeAllConnections();
      await closed;
    },
  };
  return modules;
}
