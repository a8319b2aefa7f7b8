/* What becomes of connections when there are too many, and of those that do nothing. */
import { once } from "node:events";
import { Agent, request } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Code } from "@connectrpc/connect";
import { expect, describe, onTestFinished, test } from "vitest";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { createConnections, maxOverLimit } from "../../src/transport/connection/connections.ts";
import { connectError, grpc } from "../support/dialects.ts";
import { said } from "../support/errors.ts";
import { overHttp1, overTcp } from "../support/exchange.ts";
import { callHead, flags, frame, openRaw } from "../support/frames.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";
import { listPath } from "../support/target.ts";
import { cert, key } from "../support/tls.testdata.ts";
import { field } from "../support/wire.ts";

const list = {
  path: listPath,
  headers: { "content-type": "application/json" },
  body: '{"parent":"organizations/acme"}',
};

/** A connection that sends nothing. */
async function openSilent(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined).resume();
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, "connect");
  return socket;
}

/** A connection over HTTP/2. */
function openHttp2(url: string): ClientHttp2Session {
  const session = connectHttp2(url, { rejectUnauthorized: false });
  session.on("error", () => undefined);
  onTestFinished(() => {
    session.destroy();
  });
  return session;
}

/** Calls over gRPC; returns what comes back first. */
async function call(session: ClientHttp2Session, path: string, message: Uint8Array) {
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc" };
  const stream = session.request({ ...headers, te: "trailers" });
  stream.on("error", () => undefined);
  stream.end(grpc.wrap(message));
  const [head] = (await once(stream, "response")) as [Record<string, string | number>];
  stream.resume();
  return { stream, head };
}

/** Opens a connection that has a watch open. */
async function openWatching(url: string): Promise<ClientHttp2Session> {
  const session = openHttp2(url);
  const { head } = await call(
    session,
    `/${WatchService.typeName}/Watch`,
    field(1, "organizations/acme"),
  );
  expect(head["grpc-status"]).toBeUndefined();
  return session;
}

describe("when there are as many connections as there may be", () => {
  test("those that have sent nothing end for new ones, the oldest first", async () => {
    await using server = await startServer({ connections: { maxConnections: 3 } });
    const silent: Socket[] = [];
    for (let index = 0; index < 3; index++) {
      silent.push(await openSilent(server.port));
    }
    const watching = await openWatching(server.url);
    await until(() => silent[0]?.destroyed === true, "the oldest has ended");
    expect(silent.map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
    expect((await overHttp1(server.port, list)).status).toBe(200);
    expect(silent.map(({ destroyed }) => destroyed)).toEqual([true, true, false]);
    expect(watching.closed).toBe(false);
  });

  test("500 that send nothing keep nobody from calling", async () => {
    await using server = await startServer({ connections: { maxConnections: 100 } });
    const attacker = { isOver: false, opened: 0 };
    const reopen = (): void => {
      const socket = connect(server.port, "127.0.0.1");
      attacker.opened++;
      socket.on("error", () => undefined).resume();
      socket.once("close", () => {
        if (!attacker.isOver) {
          reopen();
        }
      });
      onTestFinished(() => {
        socket.destroy();
      });
    };
    for (let index = 0; index < 500; index++) {
      reopen();
    }
    await until(() => attacker.opened > 1_000, "they come back");
    for (let index = 0; index < 5; index++) {
      expect((await overHttp1(server.port, list)).status).toBe(200);
    }
    attacker.isOver = true;
  });

  test.each(["HTTP/1.1", "HTTP/2", "TLS"])(
    "those without a request under way end for new ones: %s",
    async (version) => {
      await using server = await startServer({
        connections: { maxConnections: 2 },
        ...(version === "TLS" && { tls: { cert, key } }),
      });
      const { opened, ended } =
        version === "HTTP/1.1" ? await idleHttp1(server.port) : await idleHttp2(server.url);
      expect(opened).toBe(200);
      const [first, second] = [await openWatching(server.url), await openWatching(server.url)];
      await ended;
      expect([first.closed, second.closed]).toEqual([false, false]);
    },
  );

  test("and all have requests under way, a new one is told so, and ends", async () => {
    await using server = await startServer({ connections: { maxConnections: 1 } });
    const watching = await openWatching(server.url);
    const http1 = await overTcp(
      server.port,
      `POST ${listPath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n${list.body}`,
    );
    expect(http1.toString()).toMatch(/^HTTP\/1.1 429 /);
    const answer = await overHttp1(server.port, list);
    const { code, reason, message } = said(connectError(answer) ?? expect.fail("answered"));
    expect({ code, reason }).toEqual({
      code: Code.ResourceExhausted,
      reason: "TOO_MANY_CONNECTIONS",
    });
    expect(message).toContain("--max-connections");
    const http2 = openHttp2(server.url);
    const { head } = await call(http2, listPath, field(1, "organizations/acme"));
    expect(Number(head["grpc-status"])).toBe(Code.ResourceExhausted);
    await until(() => http2.closed, "the connection has ended");
    for (const path of ["/healthz", "/readyz"]) {
      expect((await overHttp1(server.port, { path, method: "GET" })).status).toBe(200);
    }
    watching.destroy();
    await until(
      () => server.log.some(({ method }) => String(method).endsWith("/Watch")),
      "it ends",
    );
    expect((await overHttp1(server.port, list)).status).toBe(200);
  });

  test("and a few over that are told so, a new one has no room", () => {
    const connections = createConnections(2);
    for (let index = 0; index < 2 + maxOverLimit; index++) {
      const connection = connections.open(new Socket());
      expect(connection?.isOverLimit).toBe(index >= 2);
      connection?.begin();
    }
    expect(connections.open(new Socket())).toBeUndefined();
  });
});

async function idleHttp1(port: number): Promise<{ opened: number; ended: Promise<unknown> }> {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => {
    agent.destroy();
  });
  const sent = request({ host: "127.0.0.1", port, path: "/healthz", agent }).end();
  const [response] = (await once(sent, "response")) as [
    NodeJS.ReadableStream & { statusCode: number; socket: Socket },
  ];
  const { socket } = response;
  await once(response.resume(), "end");
  return { opened: response.statusCode, ended: once(socket, "close") };
}

async function idleHttp2(url: string): Promise<{ opened: number; ended: Promise<unknown> }> {
  const session = openHttp2(url);
  const { head, stream } = await call(session, listPath, field(1, "organizations/acme"));
  await once(stream, "close");
  return { opened: Number(head[":status"]), ended: once(session, "close") };
}

describe("a connection without a request ends after --idle-timeout:", () => {
  const idle = { connections: { idleTimeoutMs: 300 } };

  test("over HTTP/1.1", async () => {
    await using server = await startServer(idle);
    const { opened, ended } = await idleHttp1(server.port);
    expect(opened).toBe(200);
    await ended;
  });

  test("over HTTP/2", async () => {
    await using server = await startServer(idle);
    await (
      await idleHttp2(server.url)
    ).ended;
  });

  test("over HTTP/2 with half a head", async () => {
    await using server = await startServer(idle);
    const connection = openRaw(server.port);
    await connection.write(frame("HEADERS", flags.none, 1, callHead(listPath).first));
    await once(connection.socket, "close");
  });

  test("and not while it waits for one less long, even if that is longer than a head may take", async () => {
    await using server = await startServer({
      connections: { headerTimeoutMs: 50, idleTimeoutMs: 60_000 },
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => {
      agent.destroy();
    });
    const get = async (): Promise<Socket> => {
      const sent = request({ host: "127.0.0.1", port: server.port, path: "/healthz", agent }).end();
      const [response] = (await once(sent, "response")) as [
        NodeJS.ReadableStream & { socket: Socket },
      ];
      const { socket } = response;
      await once(response.resume(), "end");
      return socket;
    };
    const first = await get();
    await overTcp(server.port, "GET / HTTP/1.1\r\nX:");
    expect(await get()).toBe(first);
  });

  test("and not while it has a watch open", async () => {
    await using server = await startServer({ connections: { idleTimeoutMs: 50 } });
    const watching = await openWatching(server.url);
    await (
      await idleHttp2(server.url)
    ).ended;
    await (
      await idleHttp2(server.url)
    ).ended;
    expect(watching.closed).toBe(false);
  });
});

test("a TLS handshake that never comes ends after --header-timeout", async () => {
  await using server = await startServer({
    tls: { cert, key },
    connections: { headerTimeoutMs: 100 },
  });
  const socket = await openSilent(server.port);
  await once(socket, "close");
  const later = connectTls({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
  later.on("error", () => undefined).resume();
  await once(later, "close");
});

describe("streams of a connection", () => {
  test("over --max-streams wait with the client until one has ended", async () => {
    await using server = await startServer({ connections: { maxStreams: 2 } });
    const session = openHttp2(server.url);
    await once(session, "remoteSettings");
    expect(session.remoteSettings.maxConcurrentStreams).toBe(2);
    const headers = { ":method": "POST", ":path": listPath, ...list.headers };
    const unfinished = [1, 2].map(() => session.request(headers, { endStream: false }));
    unfinished.forEach((stream) => stream.write("{"));
    const third = call(session, listPath, field(1, "organizations/acme"));
    const other = openHttp2(server.url);
    await call(other, listPath, field(1, "organizations/acme"));
    await until(() => server.log.length === 1, "the other's call was logged");
    unfinished[0]?.resume().end('"parent":"organizations/acme"}');
    expect((await third).head[":status"]).toBe(200);
    expect(server.log.map(({ code }) => code)).not.toContain("resource_exhausted");
  });

  test("of a client that does not keep to it end with the connection", async () => {
    await using server = await startServer({ connections: { maxStreams: 2 } });
    const connection = openRaw(server.port);
    await connection.write(frame("SETTINGS", flags.acknowledged, 0));
    const { first, further } = callHead(listPath);
    for (const stream of [1, 3, 5]) {
      const block = stream === 1 ? first : further;
      await connection.write(frame("HEADERS", flags.endHeaders, stream, block));
    }
    await once(connection.socket, "close");
  });
});
