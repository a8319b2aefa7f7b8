/* How messages of streams become bytes, and how many of them are written at once. */
import { create, type Message, toBinary } from "@bufbuild/protobuf";
import type { Compression } from "@connectrpc/connect/protocol";
import { expect, test } from "vitest";
import { HealthCheckRequestSchema as Schema } from "../../gen/health/v1/health_pb.ts";
import type { Answer } from "../../src/methods/answer.ts";
import type { OpenStream } from "../../src/methods/open-stream.ts";
import { createFramings } from "../../src/transport/answer/frames.ts";
import { Outlet, readBatch } from "../../src/transport/front-ends/outlet.ts";

const never = (): boolean => false;

/** A message, encoded once, as all stored ones are. */
function answerOf(service: string): Answer<Message> {
  const message = create(Schema, { service });
  const bytes = toBinary(Schema, message);
  return { message: () => message, bytes: () => bytes };
}

/** A compression that counts what it is asked for, and fails if it is told to. */
function createCounting() {
  const state = { calls: 0, fails: false };
  const compression: Compression = {
    name: "counting",
    compress(bytes) {
      state.calls++;
      return state.fails
        ? Promise.reject(new Error("too much to compress"))
        : Promise.resolve(Buffer.from(bytes.subarray(0, 10)));
    },
    decompress: (bytes) => Promise.resolve(Buffer.from(bytes)),
  };
  return { state, compression };
}

test("streams that are written the same way share their frames", () => {
  const framings = createFramings();
  const answer = answerOf("a".repeat(2_000));
  for (const format of ["binary", "json"] as const) {
    const frame = framings(Schema, format, undefined).frameOf(answer);
    expect(framings(Schema, format, undefined).frameOf(answer)).toBe(frame);
    expect(frame).toBeInstanceOf(Buffer);
  }
});

test("a message is compressed once for all, and again if that has failed", async () => {
  const { state, compression } = createCounting();
  const framings = createFramings();
  const frameOf = (answer: Answer<Message>) =>
    framings(Schema, "binary", compression).frameOf(answer);
  const large = answerOf("a".repeat(2_000));
  state.fails = true;
  await expect(frameOf(large)).rejects.toThrow("too much");
  state.fails = false;
  const [first, second] = await Promise.all([frameOf(large), frameOf(large)]);
  expect(second).toBe(first);
  expect(frameOf(large)).toBe(first);
  expect([...first.subarray(0, 5)]).toEqual([1, 0, 0, 0, 10]);
  expect(state.calls).toBe(2);
  expect(frameOf(answerOf("short"))).toBeInstanceOf(Buffer);
});

function outletOf(items: (Answer<Message> | Error)[], compression?: Compression): Outlet {
  const stream: Pick<OpenStream<Answer<Message>>, "read"> = {
    read() {
      const item = items.shift();
      if (item instanceof Error) {
        throw item;
      }
      return item ?? "caught-up";
    },
  };
  const answer = { framing: createFramings()(Schema, "binary", compression) };
  return new Outlet(answer as Outlet["answer"], stream as Outlet["stream"]);
}

test("a reader that is behind is written many messages at once, and not more than a frame of HTTP/2 holds", () => {
  const outlet = outletOf(Array.from({ length: 1_000 }, () => answerOf("a".repeat(100))));
  const sizes: number[] = [];
  for (let next: unknown = "more"; next === "more";) {
    const batch = readBatch(outlet, never);
    sizes.push(Buffer.concat(batch.frames).byteLength);
    ({ next } = batch);
  }
  expect(sizes.reduce((sum, size) => sum + size)).toBe(1_000 * 107);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(16 * 1024);
  expect(sizes.length).toBeLessThan(20);
});

test("what was read before a stream fails is written", () => {
  const error = new Error("it has fallen behind");
  const { frames, next } = readBatch(outletOf([answerOf("a"), answerOf("b"), error]), never);
  expect(frames.length).toBe(2);
  expect(next).toEqual({ raised: error });
});

test("a message that is being compressed keeps its place", async () => {
  const { compression } = createCounting();
  const items = [answerOf("a"), answerOf("b".repeat(2_000)), answerOf("c")];
  const outlet = outletOf([...items], compression);
  const first = readBatch(outlet, never);
  expect(first.frames.length).toBe(1);
  expect(first.next).toBeInstanceOf(Promise);
  outlet.ready = await (first.next as Promise<Buffer>);
  const second = readBatch(outlet, never);
  expect(second.next).toBe("caught-up");
  expect(second.frames.map((frame) => frame.readUInt8())).toEqual([1, 0]);
});
