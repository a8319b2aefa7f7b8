import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import type { Protocol } from "./protocols.ts";
import { type Browser, type OpenPage, startBrowser } from "./support/browser.ts";

/** Are closed after the browser, when no open connection is left for them to wait for. */
const servers = new AsyncDisposableStack();
let browser: Browser;
let page: OpenPage;

beforeAll(async () => {
  browser = await startBrowser();
  page = await browser.openPage();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await servers.disposeAsync();
});

describe.each<Protocol>(["gRPC-Web", "Connect with JSON", "Connect with binary"])(
  "a page that watches the server's health over %s",
  (protocol) => {
    test("hears at once that it serves, and can cancel", async () => {
      const server = servers.use(await startServer());
      const watch = await page.watchHealth({ url: server.url, protocol });
      expect(await watch.evaluate((w) => w.next())).toEqual({ status: Status.SERVING });
      expect(watchesEnded(server)).toEqual([]);

      await watch.evaluate((w) => {
        w.cancel();
      });
      expect(await watch.evaluate((w) => w.next())).toMatchObject({
        refusal: { code: Code.Canceled },
      });
      await expect.poll(() => watchesEnded(server), { timeout: 5_000 }).toEqual(["canceled"]);
    });

    test("hears that it goes down, and why the watch ends", async () => {
      const server = servers.use(await startServer());
      const watch = await page.watchHealth({ url: server.url, protocol });
      await watch.evaluate((w) => w.next());

      const closed = server.close();
      expect(await watch.evaluate((w) => w.next())).toEqual({ status: Status.NOT_SERVING });
      expect(await watch.evaluate((w) => w.next())).toMatchObject({
        refusal: { code: Code.Unavailable, reason: "SHUTTING_DOWN", domain: "wasmext" },
      });
      await closed;
    });
  },
);

/** How the Watch calls ended that the server takes for ended. */
function watchesEnded({ log }: RunningServer): unknown[] {
  return log
    .filter(({ msg, method }) => msg === "call" && method === "/grpc.health.v1.Health/Watch")
    .map((line) => line["code"]);
}
