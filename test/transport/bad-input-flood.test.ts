/*
 * Requests that are small on the wire and cost a server far more than they cost their sender. The
 * measure is what others notice: how long a page waits that does nothing.
 */
import { gzipSync } from "node:zlib";
import { connect } from "node:net";
import { Code, type ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { connectProto } from "../support/dialects.ts";
import { said } from "../support/errors.ts";
import { overHttp1 } from "../support/exchange.ts";
import { createPath, useTarget } from "../support/target.ts";
import { createRequest, extension, field, repeated, struct, value } from "../support/wire.ts";

const target = useTarget();

/** Longest that one request may keep others waiting, in ms. */
const patience = 1_000;

/** How long others wait, in ms, while a request is worked on. */
async function othersWait(work: () => Promise<unknown>): Promise<number> {
  const state = { isOver: false };
  const done = work().finally(() => (state.isOver = true));
  let longest = 0;
  while (!state.isOver) {
    const startedAt = performance.now();
    await overHttp1(target.port, { path: "/healthz", method: "GET" });
    longest = Math.max(longest, performance.now() - startedAt);
  }
  await done;
  return longest;
}

const manyEntries = 400_000;

test("values without a kind are refused in time", async () => {
  const list = field(6, repeated(manyEntries / 4, field(1, value.kindless)));
  let error: ConnectError | undefined;
  const waited = await othersWait(async () => {
    error = await send(extension(struct({ a: list })));
  });
  expect(Code[said(error ?? expect.fail("it was answered")).code]).toBe("InvalidArgument");
  expect(waited).toBeLessThan(patience);
});

test.each([
  { what: "variables", fields: () => field(13, repeated(manyEntries, field(1, ""))) },
  { what: "tenants", fields: () => repeated(2 * manyEntries, field(5, "")) },
])("$what without a name are refused in time", async ({ fields }) => {
  expect(await othersWait(() => send(extension(undefined, fields())))).toBeLessThan(patience);
});

test("a message in chunks of one byte is read in time", async () => {
  const message = Buffer.alloc(40_000);
  const chunks = Buffer.concat(
    [...message].map((byte) => Buffer.from([0x31, 13, 10, byte, 13, 10])),
  );
  const waited = await othersWait(async () => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const socket = connect({ host: "127.0.0.1", port: target.port });
    socket.once("data", resolve).once("error", reject);
    socket.write(
      `POST ${createPath} HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    socket.write(Buffer.concat([Buffer.from("5\r\n\0\0\x00\x9c\x3b\r\n", "latin1"), chunks]));
    socket.write("0\r\n\r\n");
    await promise;
    socket.destroy();
  });
  expect(waited).toBeLessThan(patience);
});

function send(wasmExtension: Uint8Array): Promise<ConnectError | undefined> {
  return connectProto.send(target.port, {
    path: createPath,
    headers: { "content-encoding": "gzip" },
    body: gzipSync(createRequest(wasmExtension)),
  });
}
