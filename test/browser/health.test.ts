import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { watchProtocols } from "./protocols.ts";
import { answer, type Browser, type OpenPage, refusal, startBrowser } from "./support/browser.ts";

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

describe.each(watchProtocols)("a page that watches the server's health over %s", (protocol) => {
  test("hears at once that it serves, and can cancel", async () => {
    const server = servers.use(await startServer());
    const watch = await page.watch({ url: server.url, protocol }, "health", {});
    expect(await answer(watch.next())).toEqual({ status: "SERVING" });
    expect(watchesEnded(server)).toEqual([]);

    await watch.cancel();
    expect(await refusal(watch.next())).toMatchObject({ code: Code.Canceled });
    await expect.poll(() => watchesEnded(server), { timeout: 5_000 }).toEqual(["canceled"]);
  });

  test("hears that it goes down, and why the watch ends", async () => {
    const server = servers.use(await startServer());
    const watch = await page.watch({ url: server.url, protocol }, "health", {});
    await answer(watch.next());

    const closed = server.close();
    expect(await answer(watch.next())).toEqual({ status: "NOT_SERVING" });
    expect(await refusal(watch.next())).toMatchObject({
      code: Code.Unavailable,
      reason: "SHUTTING_DOWN",
      domain: "wasmext",
    });
    await closed;
  });
});

/** How the Watch calls ended that the server takes for ended. */
function watchesEnded({ log }: RunningServer): unknown[] {
  return log
    .filter(({ msg, method }) => msg === "call" && method === "/grpc.health.v1.Health/Watch")
    .map((line) => line["code"]);
}
