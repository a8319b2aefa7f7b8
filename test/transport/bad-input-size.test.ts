import { brotliCompressSync, gzipSync } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { dialects, grpc } from "../support/dialects.ts";
import { healthPath, useTarget } from "../support/target.ts";
import { createRequest, createRequestJson, field } from "../support/wire.ts";

const target = useTarget();
const mebibyte = 1024 * 1024;
const limit = 4 * mebibyte;

describe.each(dialects)("$name", (dialect) => {
  const good = dialect.format === "json" ? createRequestJson() : createRequest();
  const zeros = (bytes: number): Uint8Array => Buffer.alloc(bytes);
  const encoded = (encoding: string) => ({ headers: { [dialect.encodingHeader]: encoding } });

  test.each([
    ["5 MiB", { body: dialect.wrap(zeros(5 * mebibyte)) }],
    ["5 MiB in chunks", { body: dialect.wrap(zeros(5 * mebibyte)), chunked: true }],
    ["a byte over the limit", { body: dialect.wrap(zeros(limit + 1)) }],
    [
      "a bomb in gzip",
      { ...encoded("gzip"), body: dialect.wrap(gzipSync(zeros(64 * mebibyte)), 1) },
    ],
    [
      "a bomb in brotli",
      { ...encoded("br"), body: dialect.wrap(brotliCompressSync(zeros(64 * mebibyte)), 1) },
    ],
  ])("%s is too large", async (_, sent) => {
    const { code, reason, message } = await target.refuses(dialect, sent);
    expect(Code[code]).toBe("ResourceExhausted");
    expect(reason).toBe("MESSAGE_TOO_LARGE");
    expect(message).toContain("--max-message-bytes");
  });

  test("a message of exactly the limit is read", async () => {
    const { code, reason } = await target.refuses(dialect, { body: dialect.wrap(zeros(limit)) });
    expect(Code[code]).toBe("InvalidArgument");
    expect(reason).toBe("UNREADABLE_REQUEST");
  });

  test.each([
    ["garbage", "gzip", Buffer.from("garbage")],
    ["half a message", "gzip", gzipSync(good).subarray(0, -9)],
    ["a wrong checksum", "gzip", Buffer.concat([gzipSync(good).subarray(0, -8), Buffer.alloc(8)])],
    ["garbage", "br", Buffer.from("garbage")],
    ["no compression at all", "gzip", Buffer.from(good)],
  ])("%s in %s cannot be read", async (_, encoding, bytes) => {
    const sent = { ...encoded(encoding), body: dialect.wrap(bytes, 1) };
    expect(Code[(await target.refuses(dialect, sent)).code]).toBe("InvalidArgument");
  });

  test.each(["snappy", "GZIP", "gzip, gzip"])(
    "the compression %s is not supported",
    async (name) => {
      const sent = { ...encoded(name), body: dialect.wrap(gzipSync(good), 1) };
      const { code, message } = await target.refuses(dialect, sent);
      expect(Code[code]).toBe("Unimplemented");
      expect(message).toContain("gzip,br");
    },
  );
});

/** More than that in the trailers of an answer, and common gRPC clients see INTERNAL in its place. */
const trailersLimit = 8 * 1024;

describe("what an error quotes of a large request is cut", () => {
  const json = { headers: { "content-type": "application/grpc+json" } };
  const key = "k".repeat(20_000);
  test.each([
    ["an unknown JSON field", { ...json, body: grpc.wrap(`{"${key}":1}`) }],
    [
      "a config's key",
      { ...json, body: grpc.wrap(createRequestJson(`"config":{"${key}":1e999}`)) },
    ],
    ["an unknown service", { path: healthPath, body: grpc.wrap(field(1, key)) }],
    ["a timeout", { headers: { "grpc-timeout": key.slice(0, 10_000) }, body: grpc.wrap("") }],
    ["a compression", { headers: { "grpc-encoding": key.slice(0, 10_000) }, body: grpc.wrap("") }],
  ])("%s", async (_, sent) => {
    expect((await target.refuses(grpc, sent)).message.length).toBeLessThan(trailersLimit);
  });

  test.each([
    ["a parent", { body: grpc.wrap(field(1, key)) }],
    ["a method", { path: `/${key.slice(0, 10_000)}`, body: grpc.wrap("") }],
  ])("%s", async (_, sent) => {
    expect((await target.refuses(grpc, sent)).message.length).toBeLessThan(trailersLimit);
  });
});
