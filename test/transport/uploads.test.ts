import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { Code } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test } from "vitest";
import { maxPipelined } from "../../src/transport/connection/pipelined.ts";
import { createUploads, type Upload } from "../../src/transport/request/uploads.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";
import { createPath } from "../support/target.ts";

const limits = { connectionBytes: 100, totalBytes: 250, sparedBytes: 10 };
const tooMany = expect.objectContaining({ code: Code.ResourceExhausted }) as unknown;

function refusalOf(upload: Upload, bytes: number): unknown {
  try {
    upload.hold(bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("what has arrived of requests", () => {
  const [a, b, c, d] = [{}, {}, {}, {}];

  test("is bounded for a connection, but for one message alone", () => {
    const uploads = createUploads(limits);
    const [first, second] = [uploads.begin(a), uploads.begin(a)];
    first.hold(150);
    expect(refusalOf(second, 1)).toEqual(tooMany);
    first.hold(0);
    second.hold(90);
    expect(refusalOf(first, 11)).toEqual(tooMany);
    first.hold(10);
    expect(uploads.bytes).toBe(100);
  });

  test("is bounded in all, and leaves a little to each connection", () => {
    const uploads = createUploads(limits);
    uploads.begin(a).hold(120);
    uploads.begin(b).hold(130);
    const [small, large] = [uploads.begin(c), uploads.begin(d)];
    small.hold(10);
    expect(refusalOf(large, 11)).toEqual(tooMany);
    expect(uploads.bytes).toBe(260);
    // What becomes less is never too much.
    small.hold(0);
    expect(uploads.bytes).toBe(250);
  });
});

test("requests that are never complete do not pile up", async () => {
  await using server = await startServer({ uploads: { connectionBytes: 400_000 } });
  const session = connectHttp2(server.url);
  session.on("error", () => undefined);
  onTestFinished(() => {
    session.destroy();
  });
  const body = Buffer.alloc(60_000);
  const answered: number[] = [];
  for (let index = 0; index < 10; index++) {
    const stream = session.request({
      ":method": "POST",
      ":path": createPath,
      "content-type": "application/json",
    });
    stream.on("error", () => undefined);
    stream.on("response", (head) => answered.push(Number(head[":status"])));
    stream.write(body);
  }
  // 10 of 60 KB are more than a connection may have under way here.
  await until(() => answered.length > 0, "a request was refused");
  expect(new Set(answered)).toEqual(new Set([429]));
});

describe("over HTTP/1.1, requests that are sent ahead", () => {
  const watch = JSON.stringify({ parent: "organizations/acme", startRevision: "900000000" });
  const envelope = Buffer.alloc(5);
  envelope.writeUInt32BE(watch.length, 1);
  const request =
    "POST /wasmext.v1.WatchService/Watch HTTP/1.1\r\nHost: localhost\r\n" +
    `Content-Type: application/connect+json\r\nContent-Length: ${watch.length + 5}\r\n\r\n` +
    envelope.toString("latin1") +
    watch;

  test("end with their connection", async () => {
    await using server = await startServer();
    const socket = connect(server.port, "127.0.0.1");
    socket.write(Buffer.from(request.repeat(5), "latin1"));
    await until(() => server.reader.commitNotifier.size === 5, "all watch");
    socket.resetAndDestroy();
    await until(() => server.reader.commitNotifier.size === 0, "none watches");
    expect(server.log.filter(({ code }) => code === "canceled")).toHaveLength(5);
  });

  test("end their connection when they are far too many", async () => {
    await using server = await startServer();
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => undefined);
    const closed = once(socket, "close");
    socket.write(Buffer.from(request.repeat(maxPipelined + 1), "latin1"));
    await closed;
    await until(() => server.reader.commitNotifier.size === 0, "none watches");
  });
});
