import { gzipSync } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { binaryDialects, connectProto } from "../support/dialects.ts";
import { useTarget } from "../support/target.ts";
import {
  createRequest,
  extension,
  field,
  message,
  nestedGroups,
  struct,
  structOfLevels,
  value,
} from "../support/wire.ts";

const target = useTarget();
const withConfig = (config: Uint8Array): Uint8Array => createRequest(extension(config));
const deep = 10_000;

describe.each(binaryDialects)("$name", (dialect) => {
  test.each([
    ["garbage", Buffer.from([0xff, 0xff])],
    ["a field that is cut off", createRequest().subarray(0, -1)],
    ["a length beyond the end", Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x07])],
    ["a varint without an end", Buffer.from([0x0a, ...Array<number>(11).fill(0xff)])],
    ["field number 0", Buffer.from([0x00, 0x00])],
    ["a group that never ends", message(createRequest(), Buffer.from([0xa3, 0x06]))],
    ["invalid UTF-8 in a name", field(1, Buffer.from([0xc3, 0x28]))],
    [
      "a surrogate in UTF-8",
      createRequest(extension(undefined, field(4, Buffer.from([0xed, 0xa0, 0x80])))),
    ],
    ["invalid UTF-8 in a config", withConfig(struct({ a: value.ofString(Buffer.from([0xff])) }))],
    ["a config of 10,000 levels", withConfig(structOfLevels(deep))],
    ["10,000 unknown groups", message(createRequest(), nestedGroups(deep))],
  ])("%s cannot be read", async (_, bytes) => {
    const { code, reason } = await target.refuses(dialect, { body: dialect.wrap(bytes) });
    expect(Code[code]).toBe("InvalidArgument");
    expect(reason).toBe("UNREADABLE_REQUEST");
  });

  test.each([
    ["NaN", struct({ a: value.ofNumber(NaN) })],
    ["an infinity", struct({ a: value.ofNumber(Infinity) })],
    ["an infinity in a list", struct({ a: value.ofList(value.ofNumber(-Infinity)) })],
    ["a value without a kind", struct({ a: value.kindless })],
    ["one in a list", struct({ a: value.ofList(value.ofNumber(1), value.kindless) })],
    ["one in a struct", struct({ a: value.ofStruct(struct({ b: value.kindless })) })],
    ["one in a list in a list", struct({ a: value.ofList(value.ofList(value.kindless)) })],
    ["a value that has an unknown kind alone", struct({ a: field(9, "x") })],
    ["a key without a value", field(1, field(1, "a"))],
    ["65 levels", structOfLevels(65)],
  ])("a config is refused for %s, compressed or not", async (_, config) => {
    const bytes = withConfig(config);
    const plain = await target.refuses(dialect, { body: dialect.wrap(bytes) });
    expect(Code[plain.code]).toBe("InvalidArgument");
    expect(plain.fields).toEqual(["wasm_extension.config"]);

    const compressed = await target.refuses(dialect, {
      headers: { [dialect.encodingHeader]: "gzip" },
      body: dialect.wrap(gzipSync(bytes), 1),
    });
    expect(compressed).toEqual(plain);
  });

  test("a config of 64 levels is not refused", async () => {
    const bytes = message(withConfig(structOfLevels(64)), field(1, "organizations/-"));
    const { fields } = await target.refuses(dialect, { body: dialect.wrap(bytes) });
    expect(fields).toEqual(["parent"]);
  });

  test("an empty message lacks what is required", async () => {
    const { code, fields } = await target.refuses(dialect, { body: dialect.wrap("") });
    expect(Code[code]).toBe("InvalidArgument");
    expect(fields).toEqual(["parent", "name", "wasm_extension"]);
  });

  test.each([
    ["150 unknown groups", nestedGroups(150)],
    ["a known field with the wire type of a group", Buffer.from([0x0b, 0x01, 0x61])],
    [
      "a length that leads out of its message",
      message(field(3, Buffer.from([0x22, 0x03])), field(1, "a")),
    ],
  ])("%s is no failure of the server", async (_, bytes) => {
    const body = dialect.wrap(bytes);
    expect(Code[(await target.refuses(dialect, { body })).code]).toBe("InvalidArgument");
  });
});

test("a wire type that is wrong hides no value without a kind", async () => {
  const config = struct({ a: value.kindless });
  const asNumber = message(Buffer.from([0x50, config.length]), config);
  const bytes = createRequest(extension(undefined, asNumber), field(1, "organizations/-"));
  const { fields } = await target.refuses(connectProto, { body: bytes });
  expect(fields).not.toEqual(["parent"]);
});

describe.each(binaryDialects)("$name with its content type in capitals", (dialect) => {
  const refuses = async (): Promise<void> => {
    const { fields } = await target.refuses(dialect, {
      headers: { "content-type": dialect.contentType.toUpperCase() },
      body: dialect.wrap(message(createRequest(), field(1, "organizations/-"))),
    });
    expect(fields).toEqual(["parent"]);
  };
  if (dialect.encodingHeader === "grpc-encoding") {
    test("means the same", refuses);
  } else {
    test("means the same", refuses);
  }
});
