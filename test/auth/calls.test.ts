/* Authentication as callers meet it, over every protocol. */
import { Code, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { AccessService } from "../../gen/wasmext/v1/access_service_pb.ts";
import { ChainService } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { permissions } from "../../src/catalog/access/principal.ts";
import { acme, ext, red, redIngress, url } from "../support/acme.ts";
import { refused } from "../support/errors.ts";
import { overHttp1, overHttp2, overTcp } from "../support/exchange.ts";
import { protocols, type Secured, startSecured } from "../support/secured.ts";
import { read, until } from "../support/stream.ts";
import { getPath, healthPath } from "../support/target.ts";

const whoAmIPath = `/${AccessService.typeName}/WhoAmI`;
const all = { resource: acme, permissions };
const readsRed = { resource: red, permissions: ["READ"] as const };

let secured: Secured;
let alice: string;
beforeAll(async () => {
  secured = await startSecured({ alice: [all], bob: [readsRed] }, { clockSkewMs: 0 });
  alice = await secured.token("alice");
  const [, connect] = protocols[0] ?? expect.fail("no protocol");
  const wasmExtension = { url, allowedIn: [red] };
  await createClient(WasmExtensions, connect(secured.server.url, alice)).createWasmExtension({
    ...{ parent: acme, name: "x", wasmExtension },
  });
});
afterAll(() => secured[Symbol.asyncDispose]());

describe.each(protocols)("over %s", (_name, transportOf) => {
  const client = (token?: string) =>
    createClient(WasmExtensions, transportOf(secured.server.url, token));
  const watchOf = (token: string | undefined, parent = acme) =>
    read((options) =>
      createClient(WatchService, transportOf(secured.server.url, token)).watch({ parent }, options),
    );

  test("who has a token is answered, by what it is granted", async () => {
    expect((await client(alice).getWasmExtension({ fqn: ext("x") })).url).toBe(url);
    const bob = await secured.token("bob");
    expect((await client(bob).getWasmExtension({ fqn: ext("x") })).allowedIn).toEqual([red]);
    const denied = await refused(client(bob).listWasmExtension({ parent: acme }));
    expect(Code[denied.code]).toBe("NotFound");
    const nobody = await secured.token("carol");
    const unknown = await refused(client(nobody).getWasmExtension({ fqn: ext("x") }));
    expect(Code[unknown.code]).toBe("NotFound");
  });

  test("who has none, or a bad one, gets the same error whatever exists and is asked for", async () => {
    for (const token of [undefined, "bad", await secured.token("alice", { exp: 1 })]) {
      const errors = await Promise.all([
        refused(client(token).getWasmExtension({ fqn: ext("x") })),
        refused(client(token).getWasmExtension({ fqn: ext("missing") })),
        refused(client(token).getWasmExtension({ fqn: "not a name" })),
        refused(client(token).deleteWasmExtension({ fqn: ext("x") })),
        refused(watchOf(token).next()),
      ]);
      const [first] = errors;
      expect(Code[first.code]).toBe("Unauthenticated");
      for (const error of errors) {
        expect(error).toEqual(first);
      }
    }
  });

  test("who calls is told, whenever the token expires", async () => {
    for (const exp of [4_000_000_000, 4_000_000_000.1234567, 253_402_300_800, 1e300]) {
      const token = await secured.token("alice", { exp });
      const access = createClient(AccessService, transportOf(secured.server.url, token));
      const { principal, expireTime } = await access.whoAmI({});
      expect(principal).toBe("alice");
      expect(expireTime?.seconds).toBe(exp < 5e9 ? 4_000_000_000n : undefined);
    }
  });

  test("watches end when their token expires", async () => {
    const exp = soon();
    const token = await secured.token("alice", { exp });
    const chains = createClient(ChainService, transportOf(secured.server.url, token));
    const watch = watchOf(token);
    const chain = read((options) => chains.watchChain({ target: redIngress }, options));
    await Promise.all([watch.next(), chain.next()]);
    const [error, ofChain] = await Promise.all([refused(drained(watch)), refused(drained(chain))]);
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000 - 5);
    expect(Number(error.metadata["next_revision"])).toBeGreaterThan(0);
    for (const { code, reason } of [error, ofChain]) {
      expect({ code, reason }).toEqual({
        code: Code.Unauthenticated,
        reason: "CREDENTIALS_EXPIRED",
      });
    }
  });

  test("health is open", async () => {
    const health = createClient(Health, transportOf(secured.server.url));
    expect((await health.check({})).status).toBe(Status.SERVING);
    const watch = read((options) => health.watch({}, options));
    expect((await watch.next()).status).toBe(Status.SERVING);
    watch.cancel();
  });
});

/** A time for tokens to expire at: not yet while a stream is opened, and soon after. */
function soon(): number {
  return (Date.now() + 800) / 1000;
}

/** Reads a stream to its end. */
async function drained(stream: { next(): Promise<unknown> }): Promise<never> {
  for (;;) {
    await stream.next();
  }
}

describe("reflection", () => {
  const [, grpc] = protocols[0] ?? expect.fail("no protocol");
  const ask = (token?: string) =>
    read(({ signal }) =>
      createClient(ServerReflection, grpc(secured.server.url, token)).serverReflectionInfo(
        requestsUntil(signal),
        { signal },
      ),
    );
  async function* requestsUntil(signal: AbortSignal) {
    yield { messageRequest: { case: "listServices" as const, value: "" } };
    await new Promise((resolve) => {
      signal.addEventListener("abort", resolve);
    });
  }

  test("needs a token", async () => {
    expect((await refused(ask().next())).reason).toBe("CREDENTIALS_MISSING");
    const answered = ask(alice);
    expect((await answered.next()).messageResponse.case).toBe("listServicesResponse");
    answered.cancel();
  });

  test("ends when the token expires", async () => {
    const exp = soon();
    const asked = ask(await secured.token("alice", { exp }));
    await asked.next();
    expect((await refused(asked.next())).reason).toBe("CREDENTIALS_EXPIRED");
    asked.cancel();
  });
});

describe("where HTTP shows", () => {
  const json = { "content-type": "application/json" };
  const query = "?encoding=json&message=%7B%7D";

  test.each([
    ["POST over HTTP/1.1", overHttp1, { path: getPath, headers: json, body: "{}" }],
    ["POST over HTTP/2", overHttp2, { path: getPath, headers: json, body: "{}" }],
    ["GET", overHttp1, { path: getPath + query, method: "GET" }],
  ] as const)("%s gets 401 with a challenge", async (_what, exchange, sent) => {
    const { status, headers } = await exchange(secured.server.port, sent);
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe("Bearer");
  });

  test("a body that is not read does not keep the connection from its answer", async () => {
    const body = Buffer.alloc(1024 * 1024);
    const sent = { path: getPath, headers: json, body, chunked: true };
    expect((await overHttp1(secured.server.port, sent)).status).toBe(401);
  });

  test("pages of health and preflights are open", async () => {
    const { port } = secured.server;
    for (const path of ["/healthz", "/readyz"]) {
      expect((await overHttp1(port, { path, method: "GET" })).status).toBe(200);
    }
    expect((await overHttp1(port, { path: healthPath, headers: json, body: "{}" })).status).toBe(
      200,
    );
    const preflight = await overHttp1(port, {
      path: getPath,
      method: "OPTIONS",
      headers: {
        origin: "http://localhost:3000",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("Authorization");
  });

  test.each([
    ["a token", () => ({ "x-tetrate-token": alice }), 200],
    ["no token", () => ({}), 401],
  ])("what GET with %s is answered is kept by no cache", async (_what, headers, status) => {
    const message = encodeURIComponent(JSON.stringify({ fqn: ext("x") }));
    const path = `${getPath}?encoding=json&message=${message}`;
    const sent = { path, method: "GET", headers: headers() };
    const answer = await overHttp1(secured.server.port, sent);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test("a header for tokens that is sent twice proves nothing, whichever comes first", async () => {
    const bob = await secured.token("bob");
    for (const [name, scheme] of [
      ["authorization", "Bearer "],
      ["X-Tetrate-Token", ""],
    ] as const) {
      for (const tokens of [[alice], [alice, bob], [bob, alice], [alice, "bad"], ["bad", alice]]) {
        const shown = tokens.map((token) => `${name}: ${scheme}${token}\r\n`).join("");
        const answer = await overTcp(
          secured.server.port,
          `POST ${whoAmIPath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
            `Content-Length: 2\r\nConnection: close\r\n${shown}\r\n{}`,
        );
        const status = tokens.length === 1 ? "200 OK" : "401 Unauthorized";
        expect(answer.toString().split("\r\n", 1)).toEqual([`HTTP/1.1 ${status}`]);
      }
    }
  });

  test("a web page may read why it is refused", async () => {
    const headers = { ...json, origin: "http://localhost:3000" };
    const refusal = await overHttp1(secured.server.port, { path: getPath, headers, body: "{}" });
    expect(refusal.headers.get("access-control-allow-origin")).toBe("http://localhost:3000");
  });

  test("a token over its bound is refused over HTTP/2, and with its head over HTTP/1.1", async () => {
    const headers = { ...json, authorization: `Bearer ${"x".repeat(20_000)}` };
    const sent = { path: getPath, headers, body: "{}" };
    expect((await overHttp2(secured.server.port, sent)).status).toBe(401);
    expect((await overHttp1(secured.server.port, sent)).status).toBe(431);
  });
});

describe("a change of the grants file", () => {
  const grpc = protocols[0]?.[1] ?? expect.fail("no protocol");

  test("takes effect within a second on open watches, of those whom it concerns", async () => {
    await using own = await startSecured({ alice: [all], bob: [readsRed], carol: [all] });
    const watchOf = async (sub: string, parent: string) => {
      const transport = grpc(own.server.url, await own.token(sub));
      const watch = read((options) =>
        createClient(WatchService, transport).watch({ parent }, options),
      );
      await watch.next();
      return watch;
    };
    const [first, second, third] = await Promise.all([
      watchOf("alice", acme),
      watchOf("bob", red),
      watchOf("carol", acme),
    ]);
    const before = performance.now();
    own.writeGrants({ alice: [{ ...all, permissions: ["READ"] }], carol: [all], bob: [] });
    const [changed, lost] = await Promise.all([refused(drained(first)), refused(drained(second))]);
    expect(performance.now() - before).toBeLessThan(1_000);
    expect(changed.reason).toBe("GRANTS_CHANGED");
    expect(Code[lost.code]).toBe("NotFound");
    const wasmExtension = { url };
    const extensions = createClient(WasmExtensions, grpc(own.server.url, await own.token("carol")));
    await extensions.createWasmExtension({ parent: acme, name: "y", wasmExtension });
    expect((await third.next()).events).toHaveLength(1);
    third.cancel();
  });

  test("that cannot be used is said, and the grants from before stay in force", async () => {
    await using own = await startSecured({ alice: [all] });
    const call = async () =>
      createClient(
        WasmExtensions,
        grpc(own.server.url, await own.token("alice")),
      ).listWasmExtension({
        parent: acme,
      });
    own.writeGrants("rules:\n  - claim: sub\n    value: alice\n    grant: []\n");
    await until(() => own.notices.length > 0, "a notice");
    expect(own.notices[0]).toMatch(/grants\.yaml:4: "grant" is not known.*stay in force$/);
    await call();
    own.writeGrants({ bob: [all] });
    await until(() => own.notices.length > 1, "a notice");
    expect((await refused(call())).reason).toBe("NOT_FOUND");
  });
});
