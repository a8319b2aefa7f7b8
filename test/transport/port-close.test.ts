import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createPort, defaultPortLimits } from "../../src/transport/connection/port.ts";
import type { Listener } from "../../src/transport/node-http.ts";
import { callHead, flags, frame, openRaw, type RawConnection } from "../support/frames.ts";
import { until } from "../support/stream.ts";

const head = callHead("/a.b.C/D");

/** A port that answers nothing, and tells which requests have begun and ended. */
async function openPort() {
  const [begun, ended] = [new Set<string>(), new Set<string>()];
  const listener: Listener = {
    stream: (stream) => () => {
      begun.add("HTTP/2");
      stream.once("close", () => ended.add("HTTP/2"));
    },
    request(_request, response) {
      begun.add("HTTP/1.1");
      response.once("close", () => ended.add("HTTP/1.1"));
    },
  };
  const port = createPort({ listener, limits: defaultPortLimits, now: () => performance.now() });
  const { port: number } = await port.listen(0, "127.0.0.1");
  return { port, number, begun, ended };
}

/** The last streams that a server names in its GOAWAY frames. */
function lastStreams(connection: RawConnection): number[] {
  const received = Buffer.from(connection.received());
  const [frameHead, typeAt, goaway] = [9, 3, 7];
  const last: number[] = [];
  for (let at = 0; at + frameHead < received.length; at += frameHead + received.readUIntBE(at, 3)) {
    if (received[at + typeAt] === goaway) {
      last.push(received.readUInt32BE(at + frameHead));
    }
  }
  return last;
}

test("requests that are cut off when a port closes have ended when it has", async () => {
  const { port, number, begun, ended } = await openPort();
  const http2 = openRaw(number);
  await http2.write(frame("HEADERS", flags.endHeaders, 1, head.first));
  const http1 = connect(number, "127.0.0.1").on("error", () => undefined);
  http1.write("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
  await until(() => begun.size === 2, "both requests have begun");
  await port.close(50);
  expect([...ended].toSorted()).toEqual(["HTTP/1.1", "HTTP/2"]);
});

test("a closing port says at once which streams it serves, and serves no others", async () => {
  const { port, number, begun } = await openPort();
  const http2 = openRaw(number);
  onTestFinished(() => {
    http2.socket.destroy();
  });
  await http2.write(frame("HEADERS", flags.endHeaders, 1, head.first));
  await until(() => begun.size === 1, "the stream has begun");
  const closed = port.close(300);
  await until(() => lastStreams(http2).length > 0, "the client is told");
  expect(lastStreams(http2)).toEqual([1]);
  await http2.write(frame("HEADERS", flags.endHeaders, 3, head.further));
  await Promise.all([closed, once(http2.socket, "close")]);
  expect(lastStreams(http2)).toEqual(lastStreams(http2).map(() => 1));
});
