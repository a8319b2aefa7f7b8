import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { parseMediaType } from "../../src/transport/request/media-type.ts";
import { connectJson, connectProto, grpc, grpcWeb } from "../support/dialects.ts";
import { overTcp } from "../support/exchange.ts";
import { healthPath, useTarget } from "../support/target.ts";

const target = useTarget();

describe("a content type is read as RFC 9110 writes it", () => {
  test.each<[string, string, Record<string, string>]>([
    ["application/json", "application/json", {}],
    ["Application/JSON", "application/json", {}],
    [" application/json ", "application/json", {}],
    ["application/json;charset=utf-8", "application/json", { charset: "utf-8" }],
    ['application/json ; Charset="UTF-8"', "application/json", { charset: "UTF-8" }],
    ["application/json; a=1;; b=2;", "application/json", { a: "1", b: "2" }],
    ['a/b; x="y;z\\"w"', "a/b", { x: 'y;z"w' }],
  ])("%s", (value, type, parameters) => {
    const media = parseMediaType(value) ?? expect.fail("not a media type");
    expect(media.type).toBe(type);
    expect(Object.fromEntries(media.parameters)).toEqual(parameters);
  });

  test.each([
    "",
    "application",
    "application/",
    "application/json, application/json",
    "application/json; charset",
    'application/json; charset="utf-8',
    "application/json charset=utf-8",
    `a/b${"; ".repeat(8_000)}x`,
  ])("and %s is none", (value) => {
    expect(parseMediaType(value)).toBeUndefined();
  });
});

describe("a call is answered whose content type is", () => {
  const empty = { json: "{}", binary: "" };
  test.each([
    [connectJson, 'application/json; charset="utf-8"'],
    [connectJson, "application/json;charset=UTF-8;profile=x"],
    [connectJson, "APPLICATION/JSON"],
    [connectProto, "application/proto; charset=utf-8"],
    [connectProto, "application/proto; x=y"],
    [grpc, "application/grpc; x=y"],
    [grpc, 'application/GRPC+Proto; a="b"'],
    [grpcWeb, "application/grpc-web+proto;charset=utf-8"],
  ])("%o %s", async (dialect, contentType) => {
    await target.answers(dialect, {
      path: healthPath,
      headers: { "content-type": contentType },
      body: dialect.wrap(empty[dialect.format]),
    });
  });
});

test("another charset is not supported", async () => {
  const headers = { "content-type": 'application/json; charset="utf-16"' };
  const { code, message } = await target.refuses(connectJson, { headers, body: "{}" });
  expect(Code[code]).toBe("InvalidArgument");
  expect(message).toContain("UTF-8");
});

test("a target in absolute form names its method", async () => {
  const answer = await overTcp(
    target.port,
    `POST http://localhost${healthPath} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
      "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
  );
  expect(answer.toString()).toContain('"SERVING"');
});
