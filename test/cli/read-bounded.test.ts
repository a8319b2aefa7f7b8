import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { readBounded, TooLargeError } from "../../src/cli/read-bounded.ts";

test("a stream is read to its end", async () => {
  const stream = Readable.from([Buffer.from("ab"), Buffer.from("c")]);
  expect((await readBounded(stream, 3)).toString()).toBe("abc");
});

test("a stream that does not end is given up", async () => {
  let chunks = 0;
  const endless = new Readable({
    read() {
      chunks++;
      this.push(Buffer.alloc(10));
    },
  });
  await expect(readBounded(endless, 25)).rejects.toThrow(TooLargeError);
  expect(endless.destroyed).toBe(true);
  expect(chunks).toBeLessThan(10_000);
});
