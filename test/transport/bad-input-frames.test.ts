import { gzipSync } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { envelopedDialects } from "../support/dialects.ts";
import { useTarget } from "../support/target.ts";
import { createRequest, message } from "../support/wire.ts";

const target = useTarget();

describe.each(envelopedDialects)("$name", (dialect) => {
  const frame = dialect.wrap(createRequest());
  const announced = (length: number, bytes: Uint8Array): Uint8Array => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(length, 1);
    return message(head, bytes);
  };

  test.each([
    ["half a header", frame.subarray(0, 3)],
    ["half a message", frame.subarray(0, -3)],
    ["the header of a message alone", frame.subarray(0, 5)],
    ["a length that is too great", announced(1_000_000, createRequest())],
    ["a length that is too small", announced(createRequest().length - 1, createRequest())],
    ["half a message after a whole one", message(frame, frame.subarray(0, -3))],
    ["the compressed flag without an encoding", dialect.wrap(gzipSync(createRequest()), 1)],
  ])("%s cannot be read", async (_, body) => {
    const { code, reason } = await target.refuses(dialect, { body });
    expect(Code[code]).toBe("InvalidArgument");
    expect(reason).toBe("UNREADABLE_REQUEST");
  });

  test("the compressed flag with the encoding identity cannot be read", async () => {
    const headers = { [dialect.encodingHeader]: "identity" };
    const { code } = await target.refuses(dialect, {
      headers,
      body: dialect.wrap(createRequest(), 1),
    });
    expect(Code[code]).toBe("InvalidArgument");
  });

  test.each([0xff_ff_ff_ff, 0x80_00_00_00, 4 * 1024 * 1024 + 1])(
    "a length of %d is too large, whatever follows",
    async (length) => {
      const { code } = await target.refuses(dialect, { body: announced(length, Buffer.from("x")) });
      expect(Code[code]).toBe("ResourceExhausted");
    },
  );

  // What gRPC itself answers a call with the wrong number of messages.
  test.each([
    ["no message", Buffer.alloc(0)],
    ["two messages", message(frame, frame)],
    ["three messages", message(frame, frame, frame)],
  ])("%s to a unary method", async (_, body) => {
    const { code } = await target.refuses(dialect, { body });
    expect(Code[code]).toBe("Unimplemented");
  });
});
