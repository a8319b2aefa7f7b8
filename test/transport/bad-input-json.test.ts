import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { connectJson, grpc } from "../support/dialects.ts";
import { createPath, getPath, useTarget } from "../support/target.ts";
import { createRequestJson, jsonOfLevels } from "../support/wire.ts";

const target = useTarget();
const setAttachmentsPath = "/wasmext.v1.AttachmentService/SetAttachments";
const config = (json: string): string => createRequestJson(`"config":${json}`);
const deep = 10_000;

describe("JSON that cannot be read", () => {
  test.each<[string, string | Uint8Array]>([
    ["nothing", ""],
    ["half an object", "{"],
    ["two objects", "{}{}"],
    ["null", "null"],
    ["a list", "[]"],
    ["a number", "1"],
    ["a number for a string", '{"parent":1}'],
    ["a string for a message", '{"wasmExtension":"x"}'],
    ["a list for a message", '{"wasmExtension":[]}'],
    ["a message for a list", createRequestJson('"allowedIn":{}')],
    ["null in a list", createRequestJson('"allowedIn":[null]')],
    ["a fraction for an integer", createRequestJson('"priority":1.5')],
    ["an integer that is too large", createRequestJson('"priority":2147483648')],
    ["an unknown enum value", createRequestJson('"phase":"AFTER_LUNCH"')],
    ["an unknown field", createRequestJson('"allowdIn":[]')],
    ["a field twice", '{"parent":"organizations/a","parent":"organizations/b"}'],
    ["__proto__ as a field", '{"__proto__":{"parent":"organizations/acme"}}'],
    ["invalid UTF-8", Buffer.from('{"parent":"\xff"}', "latin1")],
    ["a lone surrogate in a string", createRequestJson('"description":"\\ud800"')],
    ["a lone surrogate in a field's name", '{"\\ud800":1}'],
    ["a config that is a list", config("[]")],
    ["a config of 10,000 objects", config(jsonOfLevels(deep))],
    ["a config of 10,000 lists", config(`{"a":${"[".repeat(deep)}${"]".repeat(deep)}}`)],
    ["10,000 lists in an unknown field", `{"x":${"[".repeat(deep)}${"]".repeat(deep)}}`],
  ])("%s", async (_, body) => {
    const { code, reason } = await target.refuses(connectJson, { body });
    expect(Code[code]).toBe("InvalidArgument");
    expect(reason).toBe("UNREADABLE_REQUEST");
  });

  // An error of gRPC is a block of headers: one that is too long ends the connection with all its calls.
  const longKey = "k".repeat(100_000);
  test.each([
    ["a lone surrogate in a string", createRequestJson('"description":"\\ud800"')],
    ["a lone surrogate in a field's name", '{"\\ud800":1}'],
    ["a field's name of 100,000 characters", `{"${longKey}":1}`],
    [
      "a key of 100,000 characters",
      `{"attachmentSet":{"workloadSelector":{"labels":{"${longKey}":1}}}}`,
      setAttachmentsPath,
    ],
  ])("%s, over gRPC", async (_, json, path = createPath) => {
    const { code, reason } = await target.refuses(grpc, {
      headers: { "content-type": "application/grpc+json" },
      path,
      body: grpc.wrap(json),
    });
    expect(Code[code]).toBe("InvalidArgument");
    expect(reason).toBe("UNREADABLE_REQUEST");
  });
});

describe("a config without a form that plugins can read", () => {
  test.each([
    ["an infinity", '{"a":[1e999]}'],
    ["a lone surrogate in a string", '{"a":"\\ud800"}'],
    ["a lone surrogate in a key", '{"\\udc00":1}'],
    ["a lone surrogate below __proto__", '{"__proto__":{"a":"\\ud800"}}'],
    ["65 levels of objects", jsonOfLevels(65)],
    ["65 levels of objects and lists", `{"a":${"[".repeat(64)}${"]".repeat(64)}}`],
  ])("%s", async (_, json) => {
    const { code, fields } = await target.refuses(connectJson, { body: config(json) });
    expect(Code[code]).toBe("InvalidArgument");
    expect(fields).toEqual(["wasm_extension.config"]);
  });
});

describe("what looks bad and is not", () => {
  // Refused for its parent alone, so that nothing is stored.
  const refusedForItsParent = async (json: string): Promise<void> => {
    const body = config(json).replace("organizations/acme", "organizations/-");
    expect((await target.refuses(connectJson, { body })).fields).toEqual(["parent"]);
  };

  test("64 levels of objects", () => refusedForItsParent(jsonOfLevels(64)));
  test("64 levels of objects and lists", () =>
    refusedForItsParent(`{"a":${"[".repeat(63)}${"]".repeat(63)}}`));
  test("__proto__ and constructor as keys of a config", async () => {
    await refusedForItsParent(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    );
    expect({}).not.toHaveProperty("polluted");
  });
});

describe("requests by GET", () => {
  test.each([
    ["no message", "?encoding=json"],
    ["half an object", "?encoding=json&message=%7B"],
    ["an unknown encoding", "?encoding=yaml&message=x"],
    ["no query", ""],
    ["garbage in gzip", "?encoding=json&message=%7B%7D&compression=gzip"],
  ])("%s", async (_, query) => {
    const { code } = await target.refuses(connectJson, { method: "GET", path: getPath + query });
    expect(Code[code]).toBe("InvalidArgument");
  });

  test.each([
    ["JSON", "?encoding=json&base64=1&message=!!!!"],
    ["binary", "?encoding=proto&base64=1&message=*"],
  ])("%s in broken base64", async (_, query) => {
    const { code } = await target.refuses(connectJson, { method: "GET", path: getPath + query });
    expect(Code[code]).toBe("InvalidArgument");
  });
});

test("a content type in capitals means the same", async () => {
  const headers = { "content-type": "application/JSON" };
  const body = createRequestJson().replace("organizations/acme", "organizations/-");
  const { fields } = await target.refuses(connectJson, { path: createPath, headers, body });
  expect(fields).toEqual(["parent"]);
});
