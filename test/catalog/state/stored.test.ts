import { create, fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { WasmExtensionSchema } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { storedOf } from "../../../src/catalog/state/stored.ts";
import { weigh } from "../../../src/catalog/state/weight.ts";

test("what is stored is frozen, and its bytes are the message with its etag", () => {
  const anyExtension = fc.record({
    fqn: fc.string(),
    url: fc.string({ unit: "grapheme" }),
    priority: fc.integer({ min: -2147483648, max: 2147483647 }),
    allowedIn: fc.array(fc.string()),
  });
  fc.assert(
    fc.property(anyExtension, (fields) => {
      const message = create(WasmExtensionSchema, fields);
      const stored = storedOf(WasmExtensionSchema, message);
      expect(fromBinary(WasmExtensionSchema, stored.bytes)).toEqual(stored.message);
      expect(stored.message).toEqual({ ...message, etag: stored.etag });
      expect(stored.etag).toMatch(/^"[A-Za-z0-9+/]{11}="$/);
      expect(Object.isFrozen(stored.message.allowedIn)).toBe(true);
      const later = storedOf(WasmExtensionSchema, message);
      expect(later.etag).not.toBe(stored.etag);
    }),
  );
});

test("empty values weigh what they hold in memory, not what they take encoded", () => {
  const of = (list: unknown): number => weigh({ list });
  const none = of([]);
  // See bench/weight.ts for these figures beside those of the heap.
  for (const [value, bytes] of [
    [{}, 64],
    [[], 40],
    ["ab", 32],
    ["\u4e2d\u4e2d", 32],
    ["x".repeat(1_000), 1_024],
    ["\u4e2d".repeat(1_000), 2_024],
    [0.5, 24],
    [1, 8],
  ] as const) {
    const each = (of(Array<unknown>(1_000).fill(value)) - none) / 1_000;
    expect(Math.abs(each - bytes)).toBeLessThanOrEqual(1);
  }
});
