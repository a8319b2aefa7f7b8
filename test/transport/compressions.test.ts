import { randomBytes } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { createCompressions } from "../../src/transport/answer/compressions.ts";

const [gzip, brotli] = createCompressions();

describe("answers in compression", () => {
  test.each([0, 1])(
    "are refused when there is too much of them, and then no more",
    async (index) => {
      const compression = createCompressions(100)[index];
      const compress = (bytes: number) => compression?.compress(new Uint8Array(bytes));
      const large = compress(1_000);
      const error = await compress(1)?.catch((raised: unknown) => ConnectError.from(raised).code);
      expect(error).toBe(Code.ResourceExhausted);
      await large;
      await Promise.all([compress(50), compress(50)]);
    },
  );

  test("cost about the same with Brotli as with gzip", async () => {
    const text = Buffer.from(randomBytes(500_000).toString("hex"));
    const time = async (compression: typeof gzip): Promise<number> => {
      const startedAt = performance.now();
      const compressed = await compression?.compress(text);
      const ms = performance.now() - startedAt;
      expect(await compression?.decompress(compressed ?? text, text.length)).toEqual(text);
      return ms;
    };
    expect(await time(brotli)).toBeLessThan(10 * (await time(gzip)));
  });
});
