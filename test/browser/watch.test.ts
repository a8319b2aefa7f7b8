import { fromJson } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WatchChainResponseSchema } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { WatchResponseSchema } from "../../gen/wasmext/v1/watch_service_pb.ts";
import type { StoreOptions } from "../../src/catalog/store.ts";
import { acme, type Acme, createAcme, ext, redIngress } from "../support/acme.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";
import { eventsOf } from "../support/watched.ts";
import { watchProtocols } from "./protocols.ts";
import {
  answer,
  type Browser,
  type OpenPage,
  type OpenWatch,
  refusal,
  startBrowser,
} from "./support/browser.ts";

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

/** Serves a catalog that the test changes without the page. */
async function serveAcme(store: StoreOptions = {}): Promise<Acme & { readonly url: string }> {
  const catalog = createAcme({ store });
  const { url } = servers.use(await startServer({ catalog }));
  return { ...catalog, url };
}

/** What a watch of an organization says next, in short. */
async function nextCommit(watch: OpenWatch): Promise<{ revision: bigint; said: string[] }> {
  const response = fromJson(WatchResponseSchema, await answer(watch.next()));
  const { revision, bookmark } = response;
  return { revision, said: [...eventsOf(response), ...(bookmark ? ["bookmark"] : [])] };
}

/** What runs by the chain that a watch shows next. */
async function nextChain(watch: OpenWatch): Promise<string[] | undefined> {
  const { chain } = fromJson(WatchChainResponseSchema, await answer(watch.next()));
  return chain?.links.map(({ fqn }) => fqn);
}

describe.each(watchProtocols)("a page that speaks %s", (protocol) => {
  test("sees an organization as it is, follows it, and resumes where it left", async () => {
    const catalog = await serveAcme();
    const watchFrom = (startRevision: bigint) =>
      page.watch({ url: catalog.url, protocol }, "catalog", {
        parent: acme,
        startRevision: String(startRevision),
      });
    await catalog.put("a");
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);

    const watch = await watchFrom(0n);
    const present = [`put ${ext("a")}`, `put ${redIngress}`];
    expect(await nextCommit(watch)).toEqual({ revision: 2n, said: present });
    expect(await nextCommit(watch)).toEqual({ revision: 2n, said: ["bookmark"] });
    expect(catalog.reader.commitNotifier.size).toBe(1);

    await catalog.put("b");
    const last = await nextCommit(watch);
    expect(last).toEqual({ revision: 3n, said: [`put ${ext("b")}`] });

    await watch.cancel();
    expect(await refusal(watch.next())).toMatchObject({ code: Code.Canceled });
    await until(() => catalog.reader.commitNotifier.size === 0, "the watcher has left");

    await catalog.remove("b");
    const resumed = await watchFrom(last.revision + 1n);
    expect(await nextCommit(resumed)).toEqual({ revision: 4n, said: [`deleted ${ext("b")}`] });
    await catalog.put("c");
    expect(await nextCommit(resumed)).toEqual({ revision: 5n, said: [`put ${ext("c")}`] });

    await resumed.cancel();
    await until(() => catalog.reader.commitNotifier.size === 0, "the watcher has left");
  });

  test("sees a chain as it is, and again when an extension is attached", async () => {
    const catalog = await serveAcme();
    await catalog.put("a");
    const route = { url: catalog.url, protocol };
    const watch = await page.watch(route, "chain", { target: redIngress });
    expect(await nextChain(watch)).toEqual([]);
    expect(catalog.reader.chainNotifier.size).toBe(1);

    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    expect(await nextChain(watch)).toEqual([ext("a")]);

    await watch.cancel();
    expect(await refusal(watch.next())).toMatchObject({ code: Code.Canceled });
    await until(() => catalog.reader.chainNotifier.size === 0, "the watcher has left");
  });

  test("learns from which revision on it can resume when it asks for an older one", async () => {
    const catalog = await serveAcme({ history: { maxCommits: 3 } });
    for (const name of ["a", "b", "c", "d", "e"]) {
      await catalog.put(name);
    }
    const route = { url: catalog.url, protocol };
    const tooOld = await page.watch(route, "catalog", { parent: acme, startRevision: "2" });
    const error = await refusal(tooOld.next());
    expect(error).toMatchObject({
      code: Code.OutOfRange,
      reason: "REVISION_NOT_KEPT",
      domain: "wasmext",
      metadata: { parent: acme, oldest_revision: "3", next_revision: "0" },
    });
    expect(catalog.reader.commitNotifier.size).toBe(0);

    const startRevision = error.metadata["oldest_revision"] ?? "";
    const oldest = await page.watch(route, "catalog", { parent: acme, startRevision });
    expect(await nextCommit(oldest)).toEqual({ revision: 3n, said: [`put ${ext("c")}`] });
  });
});
