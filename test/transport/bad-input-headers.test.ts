import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { connectError, dialects, envelopedDialects } from "../support/dialects.ts";
import { said } from "../support/errors.ts";
import { overHttp1, overHttp2 } from "../support/exchange.ts";
import { createPath, getPath, healthPath, useTarget } from "../support/target.ts";
import { createRequest, createRequestJson } from "../support/wire.ts";

const target = useTarget();

describe.each(dialects)("$name", (dialect) => {
  const body = dialect.wrap(dialect.format === "json" ? createRequestJson() : createRequest());

  test.each(["soon", "-1", "1.5", "1e3", "", "99999999999", "\u00ff"])(
    "the timeout %j is invalid",
    async (timeout) => {
      const headers = { [dialect.timeoutHeader]: timeout };
      expect(Code[(await target.refuses(dialect, { headers, body })).code]).toBe("InvalidArgument");
    },
  );

  test("a deadline that is further away than a timer can wait is no error", async () => {
    const timeout = dialect.timeoutHeader === "grpc-timeout" ? "99999999H" : "9999999999";
    const headers = { [dialect.timeoutHeader]: timeout };
    const get = dialect.wrap(dialect.format === "json" ? "{}" : "");
    await target.answers(dialect, { path: healthPath, headers, body: get });
  });

  test.each([
    ["/tetrateio.api.tsb.extension.v2.WasmExtensions/Nope"],
    ["/nope.Nope/Nope"],
    ["/"],
    ["//"],
    [`/${createPath}`],
    [`${createPath}/`],
    [createPath.toLowerCase()],
    [createPath.replace("Create", "%43reate")],
    ["/__proto__/constructor"],
  ])("%s is no method", async (path) => {
    const { code, reason } = await target.refuses(dialect, { path, body });
    expect(Code[code]).toBe("Unimplemented");
    expect(reason).toBe("UNKNOWN_METHOD");
  });

  test.each(["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])(
    "a write is not called by %s",
    async (method) => {
      const { code, reason, message } = await target.refuses(dialect, { method });
      expect(Code[code]).toBe("Unimplemented");
      expect(reason).toBe("UNSUPPORTED_HTTP_METHOD");
      expect(message).toContain("POST");
    },
  );
});

describe.each(envelopedDialects)("$name", (dialect) => {
  test("a read is not called by PUT", async () => {
    const { code } = await target.refuses(dialect, { path: getPath, method: "PUT" });
    expect(Code[code]).toBe("Unimplemented");
  });

  test("a read is not called by GET", async () => {
    const { code } = await target.refuses(dialect, { path: getPath, method: "GET" });
    expect(Code[code]).toBe("Unimplemented");
  });

  test("an unknown format is not supported", async () => {
    const headers = { "content-type": `${dialect.contentType.replace("+proto", "")}+yaml` };
    const { code, reason } = await target.refuses(dialect, { headers, body: dialect.wrap("") });
    expect(Code[code]).toBe("InvalidArgument");
    expect(reason).toBe("UNSUPPORTED_CONTENT_TYPE");
  });
});

describe.each([
  ["HTTP/1.1", overHttp1],
  ["HTTP/2", overHttp2],
] as const)("over %s", (_, exchange) => {
  test.each([
    undefined,
    "",
    "text/plain",
    "application/xml",
    "application/json; charset=latin1",
    "application/connect+json",
    "application/grpc-web-text-plus",
    "application/json, application/json",
    "\u00ff",
  ])("the content type %j is not supported", async (contentType) => {
    const headers: Record<string, string> =
      contentType === undefined ? {} : { "content-type": contentType };
    const answer = await exchange(target.port, { path: createPath, headers, body: "{}" });
    expect(answer.status).toBe(415);
    const { code, reason } = said(connectError(answer) ?? expect.fail("it was answered"));
    expect(Code[code]).toBe("InvalidArgument");
    expect(reason).toBe("UNSUPPORTED_CONTENT_TYPE");
  });
});
