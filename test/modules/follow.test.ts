/* What becomes of a source that is followed: moved tags, failures, many followers. */
import type { RequestListener } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createLazyModules } from "../../src/modules/lazy-modules.ts";
import { folderOf } from "../support/cli.ts";
import { until } from "../support/stream.ts";
import {
  always,
  failed,
  following,
  ready,
  settled,
  source,
  testModules,
} from "./support/following.ts";
import { answerBytes, digestOf, serve, serveRegistry } from "./support/registry.ts";
import { wasm } from "./support/wasm.ts";

const module = wasm();
const newer = wasm({ variant: "newer" });
const often = { timing: { checkMs: 5 } };

const isReady = ({ kind }: { kind: string }): boolean => kind === "ready";

describe("Always", () => {
  test("notices a tag that has moved, and looks without pulling", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules(often);
    registry.artifact(module);
    const followed = following(modules, source(`oci://${registry.host}/acme/auth:1.0`, always));
    await followed.until(isReady);
    while (registry.asked.length < 6) {
      await delay(5);
    }
    expect(new Set(registry.asked.slice(3))).toEqual(new Set(["HEAD /v2/acme/auth/manifests/1.0"]));
    expect(followed.told).toHaveLength(1);
    registry.artifact(newer);
    expect(await followed.until(({ module: now }) => now?.digest === hexOf(newer))).toEqual(
      ready(newer),
    );
    expect(followed.told).toEqual([ready(module), ready(newer)]);
  });

  test.each([405, 501, 404, 403, 401])(
    "looks at the manifest where HEAD has the status %i",
    async (status) => {
      await using registry = await serveRegistry();
      await using modules = testModules(often);
      registry.artifact(module);
      registry.before = ({ method }, response) =>
        method === "HEAD" && Boolean(response.writeHead(status).end());
      const followed = following(modules, source(`oci://${registry.host}/acme/auth:1.0`, always));
      await followed.until(isReady);
      while (registry.asked.length < 9) {
        await delay(5);
      }
      expect(registry.asked.slice(3, 7)).toEqual(
        ["HEAD", "GET", "HEAD", "GET"].map((method) => `${method} /v2/acme/auth/manifests/1.0`),
      );
      expect(followed.told).toHaveLength(1);
      registry.artifact(newer);
      await followed.until(({ module: now }) => now?.digest === hexOf(newer));
    },
  );

  test("does not ask at once for more where the registry limits how often it is asked", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules(often);
    registry.artifact(module);
    registry.before = ({ method }, response) =>
      method === "HEAD" && Boolean(response.writeHead(429).end());
    const followed = following(modules, source(`oci://${registry.host}/acme/auth:1.0`, always));
    await followed.until(({ problem }) => problem !== undefined);
    expect(registry.asked.slice(3)).toEqual(["HEAD /v2/acme/auth/manifests/1.0"]);
  });

  test("asks for a file on the condition that it has changed", async () => {
    let answer = module;
    await using server = await serve((request, response) => {
      const etag = `"${digestOf(answer)}"`;
      if (request.headers["if-none-match"] === etag) {
        response.writeHead(304).end();
      } else {
        response.writeHead(200, { etag }).end(answer);
      }
    });
    await using modules = testModules(often);
    const followed = following(modules, source(`http://${server.host}/x`, always));
    await followed.until(isReady);
    while (server.asked.length < 5) {
      await delay(5);
    }
    answer = newer;
    expect(await followed.until(({ module: now }) => now?.digest === hexOf(newer))).toEqual(
      ready(newer),
    );
    expect(followed.told).toHaveLength(2);
  });

  test("keeps the last good module when what replaces it is not good, and says so", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules(often);
    registry.artifact(module);
    const followed = following(modules, source(`oci://${registry.host}/acme/auth:1.0`, always));
    await followed.until(isReady);
    registry.artifact(wasm({ memory: "" }));
    expect(await followed.until(({ problem }) => problem !== undefined)).toMatchObject({
      ...ready(module),
      problem: { reason: "NO_PROXY_WASM" },
    });
    expect(Buffer.from(await modules.bytes(hexOf(module)))).toEqual(module);
    registry.artifact(newer);
    expect(await followed.until(({ problem }) => problem === undefined)).toEqual(ready(newer));
  });

  test("is asked at most once in the interval, however many follow", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    registry.artifact(module);
    const from = source(`oci://${registry.host}/acme/auth:1.0`, always);
    await Promise.all(Array.from({ length: 50 }, () => settled(modules, from)));
    expect(registry.asked).toHaveLength(3);
  });
});

test("IfNotPresent never asks again for what it has", async () => {
  await using registry = await serveRegistry();
  await using modules = testModules(often);
  registry.artifact(module);
  const from = source(`oci://${registry.host}/acme/auth:1.0`);
  for (let time = 0; time < 5; time++) {
    const followed = following(modules, from);
    await followed.until(isReady);
    followed.stop();
    await delay(10);
  }
  registry.artifact(newer);
  expect(await settled(modules, from)).toEqual(ready(module));
  expect(registry.asked).toHaveLength(3);
});

describe("followers", () => {
  test("are called when the state differs, never inside of follow, and not after they have stopped", async () => {
    await using server = await serve(answerBytes(module));
    await using modules = testModules();
    const from = source(`http://${server.host}/x`);
    const calls: string[] = [];
    const stopped = modules.follow(from, () => calls.push("stopped"));
    stopped.stop();
    const first = modules.follow(from, () => calls.push("first"));
    expect(first.state).toEqual({ kind: "fetching" });
    await settled(modules, from);
    const second = modules.follow(from, () => calls.push("second"));
    expect(second.state).toEqual(ready(module));
    expect(calls).toEqual(["first"]);
    expect(server.asked).toHaveLength(1);
  });

  test("that fail do not keep the others from being called", async () => {
    await using server = await serve(answerBytes(module));
    const warnings: string[] = [];
    await using modules = testModules({ warn: (text) => warnings.push(text) });
    const from = source(`http://${server.host}/x`);
    modules.follow(from, () => {
      throw new Error("no");
    });
    expect(await settled(modules, from)).toEqual(ready(module));
    expect(warnings).toEqual([expect.stringContaining("no")]);
  });
});

describe("a failed fetch", () => {
  test("is tried again, ever later, and told once", async () => {
    const times: number[] = [];
    await using server = await serve((_, response) => {
      times.push(performance.now());
      response.writeHead(times.length < 6 ? 500 : 200).end(module);
    });
    const warnings: string[] = [];
    await using modules = testModules({
      timing: { firstRetryMs: 10, lastRetryMs: 80 },
      warn: (text) => warnings.push(text),
    });
    const followed = following(modules, source(`http://${server.host}/x`));
    expect(await followed.until(isReady)).toEqual(ready(module));
    expect(followed.told.map(({ kind }) => kind)).toEqual(["failed", "ready"]);
    expect(warnings).toEqual([expect.stringMatching(/\(BAD_ANSWER\).*HTTP status 500/)]);
    const pauses = times.slice(1).map((time, at) => time - (times[at] ?? 0));
    // A timer may fire a little early.
    [9, 14, 29, 59, 59].forEach((least, at) => {
      expect(pauses[at]).toBeGreaterThanOrEqual(least);
    });
  });

  test("is tried again at once when the source is followed anew, but not as often as that", async () => {
    let isUp = false;
    await using server = await serve(
      (_, response) => void response.writeHead(isUp ? 200 : 500).end(module),
    );
    await using modules = testModules({
      timing: { firstRetryMs: 30, lastRetryMs: 1_000_000, lingerMs: 1_000_000 },
    });
    const from = source(`http://${server.host}/x`);
    const first = following(modules, from);
    await first.until(({ kind }) => kind === "failed");
    // From here on it would take minutes.
    for (let time = 0; time < 100; time++) {
      following(modules, from).stop();
      first.stop();
    }
    await delay(100);
    expect(server.asked.length).toBeLessThan(6);
    isUp = true;
    expect(await following(modules, from).until(isReady)).toEqual(ready(module));
  });
});

describe("stopping", () => {
  test("ends a fetch that nobody waits for", async () => {
    let ended = 0;
    await using server = await serve((request) => request.on("close", () => ended++));
    await using modules = testModules();
    const followed = following(modules, source(`http://${server.host}/x`));
    while (server.asked.length === 0) {
      await delay(5);
    }
    followed.stop();
    while (ended === 0) {
      await delay(5);
    }
    expect(followed.told).toEqual([]);
  });

  test("and closing leave nothing behind", async () => {
    await using server = await serve((_, response) => void response.writeHead(200).write("\0asm"));
    using folder = folderOf({});
    const modules = testModules({ folder: folder.path });
    const followed = following(modules, source(`http://${server.host}/x`));
    while (server.asked.length === 0) {
      await delay(5);
    }
    await modules[Symbol.asyncDispose]();
    expect(followed.state).toEqual({ kind: "fetching" });
    const { readdirSync } = await import("node:fs");
    expect(readdirSync(`${folder.path}/drafts`)).toEqual([]);
  });
});

describe("fairness", () => {
  /** Holds all requests. */
  function hold(): { listener: RequestListener; waiting: string[]; release: () => void } {
    const waiting: string[] = [];
    const ends: (() => void)[] = [];
    return {
      waiting,
      listener: (request, response) => {
        waiting.push(request.url ?? "");
        ends.push(() => void response.end(module));
      },
      release: () => {
        ends.splice(0).forEach((end) => {
          end();
        });
      },
    };
  }

  test("an organization that fetches from silent hosts does not keep the others waiting", async () => {
    const { listener, waiting, release } = hold();
    await using server = await serve(listener);
    await using open = await serve(answerBytes(module));
    await using modules = testModules();
    for (let number = 0; number < 20; number++) {
      following(modules, source(`http://${server.host}/${number}`, { organization: "slow" }));
    }
    expect(await settled(modules, source(`http://${open.host}/x`))).toEqual(ready(module));
    await until(() => waiting.length === 4, "as many requests as one may have");
    release();
  });

  test("names that are looked up slowly do not keep the names of others waiting", async () => {
    await using server = await serve(answerBytes(module));
    const names: string[] = [];
    await using modules = testModules({
      lookup: async (name) => {
        names.push(name);
        await delay(name === "quick.test" ? 0 : 30);
        return ["127.0.0.1"];
      },
    });
    for (let number = 0; number < 4; number++) {
      const url = `http://slow${number}.test:${server.port}/`;
      following(modules, source(url, { organization: "slow" }));
    }
    while (names.length === 0) {
      await delay(1);
    }
    await settled(modules, source(`http://quick.test:${server.port}/`));
    expect(names.indexOf("quick.test")).toBeLessThan(3);
  });
});

describe("lazy modules", () => {
  test("do what modules do", async () => {
    using folder = folderOf({});
    await using server = await serve(answerBytes(module));
    const modules = createLazyModules({ folder: folder.path, allowedNetworks: ["127.0.0.0/8"] });
    const from = source(`http://${server.host}/x`);
    const stopped = modules.follow(from, () => undefined);
    stopped.stop();
    expect(await settled(modules, from)).toEqual(ready(module));
    // Another one that is ready when it begins.
    expect(await settled(modules, from)).toEqual(ready(module));
    expect(Buffer.from(await modules.bytes(hexOf(module)))).toEqual(module);
    await modules.close();
  });

  test("have at once what another follower has", async () => {
    using folder = folderOf({});
    await using server = await serve(answerBytes(module));
    const modules = createLazyModules({ folder: folder.path, allowedNetworks: ["127.0.0.0/8"] });
    const from = source(`http://${server.host}/x`);
    await settled(modules, from);
    expect(modules.follow(from, () => undefined).state).toEqual(ready(module));
    await modules.close();
  });

  test("close without ever having been loaded", async () => {
    await createLazyModules({ folder: "/nowhere" }).close();
  });
});

test("the problem of a source names its url", async () => {
  await using modules = testModules();
  const state = await settled(modules, source("http://localhost:1/x.wasm"));
  expect(state).toEqual(failed("UNREACHABLE", "http://localhost:1/x.wasm: localhost:1 refuses"));
});

function hexOf(bytes: Uint8Array): string {
  return digestOf(bytes).slice("sha256:".length);
}
