import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createArrivals } from "../../src/transport/connection/arrivals.ts";
import { callHead, flags, frame, openRaw, reset } from "../support/frames.ts";
import { overHttp1 } from "../support/exchange.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";
import { getPath } from "../support/target.ts";

function response(): ServerResponse {
  return new ServerResponse(new IncomingMessage(new Socket()));
}

test("requests are handed over when all that came with them has been read, those given up are not", async () => {
  const arrivals = createArrivals(() => 0);
  const handedOver: number[] = [];
  const responses = [response(), response(), response()];
  responses.forEach((answer, index) => {
    arrivals.add(arrivals, answer, () => handedOver.push(index));
  });
  expect(handedOver).toEqual([]);
  responses[1]?.destroy();
  await setImmediate();
  expect(handedOver).toEqual([0, 2]);
});

test("connections take turns, and others run in between", async () => {
  // Each look at the clock takes 3 ms, so a turn has room for two.
  let time = 0;
  const arrivals = createArrivals(() => (time += 3));
  const handedOver: string[] = [];
  for (const [connection, names] of [
    [{}, ["a1", "a2", "a3", "a4"]],
    [{}, ["b1"]],
  ] as const) {
    for (const name of names) {
      arrivals.add(connection, response(), () => handedOver.push(name));
    }
  }
  await setImmediate();
  expect(handedOver).toEqual(["a1", "b1"]);
  await setImmediate();
  expect(handedOver).toEqual(["a1", "b1", "a2", "a3"]);
  await setImmediate();
  expect(handedOver).toHaveLength(5);
});

test("calls that are given up at once leave no line in the log", async () => {
  await using server = await startServer();
  const connection = openRaw(server.port);
  const { first, further } = callHead(getPath);
  const calls = Array.from({ length: 100 }, (_, index) => [
    frame("HEADERS", flags.endHeaders, 2 * index + 1, index === 0 ? first : further),
    reset(2 * index + 1),
  ]);
  await connection.write(Buffer.concat([...calls.flat(), frame("PING", 0, 0, Buffer.alloc(8, 1))]));
  await until(() => Buffer.from(connection.received()).includes(Buffer.alloc(8, 1)), "it is read");
  await overHttp1(server.port, { path: getPath });
  await until(() => server.log.length > 0, "the call after them is logged");
  connection.socket.destroy();
  expect(server.log).toHaveLength(1);
});
