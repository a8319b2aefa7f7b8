import fc from "fast-check";
import { expect, test } from "vitest";
import { kept } from "../../../src/catalog/state/slabs.ts";

test("what is kept has the bytes that it had, whatever becomes of its source and of others", () => {
  const anyBytes = fc.uint8Array({ maxLength: 1500 });
  fc.assert(
    fc.property(fc.array(anyBytes, { maxLength: 30 }), (all) => {
      const source = new Uint8Array(8192);
      const copies = all.map((bytes) => {
        source.set(bytes, 100);
        return kept(source.subarray(100, 100 + bytes.byteLength));
      });
      source.fill(0xff);
      expect(copies.map((copy) => [...copy])).toEqual(all.map((bytes) => [...bytes]));
    }),
  );
});

test("a short byte array does not keep a large buffer, and a long one no other", () => {
  const large = new Uint8Array(1024 * 1024);
  expect(kept(large.subarray(0, 100)).buffer.byteLength).toBeLessThanOrEqual(4096);
  expect(kept(large.subarray(0, 2000)).buffer.byteLength).toBe(2000);
  const own = new Uint8Array(2000);
  expect(kept(own)).toBe(own);
});
