import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WasmExtensionSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { WatchEventSchema } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { createEncoder } from "../../src/wire/encoder.ts";

const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({ minLength: 120, maxLength: 300 }),
);
const int32 = fc.oneof(fc.constant(0), fc.integer());
const config = fc.option(
  fc.dictionary(text, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 4 }) as fc.Arbitrary<JsonObject>,
  { nil: undefined },
);

const anyExtension = fc
  .record({
    fqn: text,
    allowedIn: fc.array(text, { maxLength: 4 }),
    phase: fc.nat(4),
    priority: int32,
    config,
    vmConfig: fc.option(
      fc.record({ env: fc.array(fc.record({ name: text, value: text, valueFrom: fc.nat(1) })) }),
      { nil: undefined },
    ),
    match: fc.option(fc.record({ mode: fc.nat(3) }), { nil: undefined }),
    url: text,
  })
  .map((init) => create(WasmExtensionSchema, init as object));

const anySet = fc
  .record({
    fqn: text,
    workloadSelector: fc.option(
      fc.record({ namespace: text, labels: fc.dictionary(text, text, { maxKeys: 3 }) }),
      { nil: undefined },
    ),
    extension: fc.array(
      fc.record({
        fqn: text,
        config,
        match: fc.array(
          fc.record({ mode: fc.nat(3), ports: fc.array(fc.record({ number: fc.nat(65_535) })) }),
          { maxLength: 2 },
        ),
      }),
      { maxLength: 3 },
    ),
  })
  .map((init) => create(AttachmentSetSchema, init as object));

describe("an encoder writes what toBinary writes", () => {
  const encode = createEncoder();
  test("of extensions", () => {
    fc.assert(
      fc.property(anyExtension, (message) => {
        expect(encode(WasmExtensionSchema, message)).toEqual(
          toBinary(WasmExtensionSchema, message),
        );
      }),
    );
  });
  test("of attachment sets", () => {
    fc.assert(
      fc.property(anySet, (message) => {
        expect(encode(AttachmentSetSchema, message)).toEqual(
          toBinary(AttachmentSetSchema, message),
        );
      }),
    );
  });
  test("after a large message, and after one that cannot be encoded", () => {
    const message = create(WasmExtensionSchema, { fqn: "a" });
    const bytes = toBinary(WasmExtensionSchema, message);
    const large = { ...message, description: "x".repeat(1_000_000) };
    expect(encode(WasmExtensionSchema, large)).toHaveLength(1_000_007);
    expect(encode(WasmExtensionSchema, message)).toEqual(bytes);
    expect(() => encode(WasmExtensionSchema, { ...message, priority: 0.5 })).toThrow("0.5");
    expect(encode(WasmExtensionSchema, message)).toEqual(bytes);
  });
  test("and gives bytes that no later message changes", () => {
    const first = encode(WasmExtensionSchema, create(WasmExtensionSchema, { fqn: "first" }));
    encode(WasmExtensionSchema, create(WasmExtensionSchema, { fqn: "other" }));
    expect(fromBinary(WasmExtensionSchema, first).fqn).toBe("first");
  });
});

test("types that no stored object holds are refused", () => {
  const encode = createEncoder();
  expect(() => encode(WatchEventSchema, create(WatchEventSchema))).toThrow(TypeError);
});
