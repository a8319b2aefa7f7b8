/*
 * Frames that cost their sender little and the server more. The server ends such a connection, and answers
 * others meanwhile. How long others wait is measured in bench/callers.ts.
 */
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { overHttp1, overTcp } from "../support/exchange.ts";
import {
  callHead,
  connectionStart,
  flags,
  frame,
  openRaw,
  remembered,
  reset,
} from "../support/frames.ts";
import { getPath, useTarget } from "../support/target.ts";

const target = useTarget();
const head = callHead(getPath);

/** The frames of a flood: each has a number, from 0. */
const floods: Readonly<Record<string, (index: number) => Uint8Array>> = {
  "streams that are opened and reset": (index) =>
    Buffer.concat([
      frame("HEADERS", flags.endHeaders, 2 * index + 1, index === 0 ? head.first : head.further),
      reset(2 * index + 1),
    ]),
  "heads in CONTINUATION without end": (index) =>
    index === 0
      ? frame("HEADERS", flags.none, 1, head.first)
      : frame("CONTINUATION", flags.none, 1, remembered(`x-${index}`, "y".repeat(100))),
  "empty CONTINUATION": (index) =>
    index === 0
      ? frame("HEADERS", flags.none, 1, head.first)
      : frame("CONTINUATION", flags.none, 1),
  PING: () => frame("PING", flags.none, 0, Buffer.alloc(8)),
  SETTINGS: () => frame("SETTINGS", flags.none, 0),
  "SETTINGS that are acknowledged without being sent": () =>
    frame("SETTINGS", flags.acknowledged, 0),
  "empty DATA": (index) =>
    index === 0 ? frame("HEADERS", flags.endHeaders, 1, head.first) : frame("DATA", flags.none, 1),
  PRIORITY: (index) => frame("PRIORITY", flags.none, 2 * index + 1, Buffer.from([0, 0, 0, 0, 1])),
  "streams without a method": (index) =>
    frame("HEADERS", flags.endHeaders + flags.endStream, 2 * index + 1, Buffer.from([0x86])),
  "more streams than the connection may have": (index) =>
    frame("HEADERS", flags.endHeaders, 2 * index + 1, index === 0 ? head.first : head.further),
};

/** A client that waits for the answers to a few frames before it sends more is none that floods. */
const framesInWrite = 2_500;
const maxFrames = 50_000;

/** Sends a flood until the server ends the connection; returns how many frames that took. */
async function flood(
  of: (index: number) => Uint8Array,
  { reads, waits }: { reads: boolean; waits: boolean },
): Promise<number> {
  const connection = openRaw(target.port);
  if (waits) {
    await once(connection.socket, "data");
  }
  if (!reads) {
    connection.socket.pause();
  }
  let sent = 0;
  while (!connection.hasEnded() && sent < maxFrames) {
    const frames = Array.from({ length: framesInWrite }, () => of(sent++));
    const written = connection.write(Buffer.concat(frames));
    const other = await overHttp1(target.port, { path: "/healthz", method: "GET" });
    expect(other.status).toBe(200);
    await written;
  }
  connection.socket.destroy();
  return sent;
}

describe.each(Object.entries(floods))(
  "a flood of %s ends its connection, and no other",
  (_, of) => {
    test.each([
      ["that has the server's settings", { reads: true, waits: true }],
      ["that begins with it", { reads: true, waits: false }],
    ])("%s", async (_connection, how) => {
      expect(await flood(of, how)).toBeLessThan(maxFrames);
    });
  },
);

test("a client that does not read what its flood is answered with loses its connection", async () => {
  expect(await flood(floods["PING"] ?? expect.fail(), { reads: false, waits: true })).toBeLessThan(
    maxFrames,
  );
});

test("streams that are opened and reset in one write are not worked for", async () => {
  const connection = openRaw(target.port);
  await once(connection.socket, "data");
  const streams = Array.from(
    { length: 1_000 },
    (_, index) => floods["streams that are opened and reset"]?.(index) ?? expect.fail(),
  );
  await connection.write(Buffer.concat(streams));
  await once(connection.socket, "close");
  const sentBack = Buffer.from(connection.received());
  // GOAWAY with ENHANCE_YOUR_CALM is the last that comes back.
  expect(sentBack.readUInt8(sentBack.length - 14)).toBe(7);
  expect(sentBack.readUInt32BE(sentBack.length - 4)).toBe(11);
});

test("streams that are opened and reset with the preface begin no session", async () => {
  const streams = Array.from(
    { length: 1_000 },
    (_, index) => floods["streams that are opened and reset"]?.(index) ?? expect.fail(),
  );
  expect(await overTcp(target.port, Buffer.concat([connectionStart, ...streams]))).toHaveLength(0);
});

test("a client that gives up a hundred calls at once keeps its connection", async () => {
  const connection = openRaw(target.port);
  const calls = Array.from(
    { length: 100 },
    (_, index) => floods["streams that are opened and reset"]?.(index) ?? expect.fail(),
  );
  await connection.write(Buffer.concat(calls));
  const ping = frame("PING", flags.none, 0, Buffer.from("answered"));
  await connection.write(ping);
  while (!Buffer.from(connection.received()).includes("answered")) {
    await once(connection.socket, "data");
  }
  expect(connection.hasEnded()).toBe(false);
  connection.socket.destroy();
});
