import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { ViolationsSchema } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { said } from "../support/errors.ts";
import { type RunningServer, startServer } from "../support/server.ts";

const good = { parent: "organizations/o", name: "x", wasmExtension: { url: "oci://x" } };
const extension = (wrong: object) => ({ ...good, wasmExtension: { url: "oci://x", ...wrong } });

describe("JSON that is no message of its type names the field", () => {
  let server: RunningServer;

  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.close());

  async function errorOf(body: string): Promise<ConnectError> {
    const path = "/tetrateio.api.tsb.extension.v2.WasmExtensions/CreateWasmExtension";
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${server.url}${path}`, { method: "POST", headers, body });
    const fallback = new ConnectError("no error");
    return errorFromJson((await answer.json()) as never, undefined, fallback);
  }

  test.each([
    ["an unknown key", extension({ allowed_inn: [] }), "wasm_extension.allowed_inn"],
    ["an unknown key at the top", { ...good, wasmextension: {} }, "wasmextension"],
    ["an unknown value of an enum", extension({ phase: "FOO" }), "wasm_extension.phase"],
    ["a number beyond int32", extension({ priority: 2147483648 }), "wasm_extension.priority"],
    ["a number for a string", extension({ url: 1 }), "wasm_extension.url"],
    ["an object for a list", extension({ allowedIn: {} }), "wasm_extension.allowed_in"],
    ["a number in a list", extension({ allowedIn: ["a", 1] }), "wasm_extension.allowed_in[1]"],
    [
      "an unknown key in a list",
      extension({ vmConfig: { env: [{ name: "A" }, { nme: "B" }] } }),
      "wasm_extension.vm_config.env[1].nme",
    ],
    ["a list for a Struct", extension({ config: [] }), "wasm_extension.config"],
    ["a string for a message", { ...good, wasmExtension: "x" }, "wasm_extension"],
    ["__proto__", JSON.parse('{"__proto__": 1}') as object, "__proto__"],
    ["a list for a request", [], ""],
  ])("%s", async (_what, body, path) => {
    const error = await errorOf(JSON.stringify(body));
    const { code, reason, fields } = said(error);
    expect({ code, reason, fields }).toEqual({
      code: Code.InvalidArgument,
      reason: "UNREADABLE_REQUEST",
      fields: [path],
    });
    const [violations] = error.findDetails(ViolationsSchema);
    const names = violations?.violations[0]?.field?.elements.map(({ fieldName }) => fieldName);
    expect(names).toEqual(path === "" ? [] : path.replaceAll(/\[\d+\]/g, "").split("."));
  });

  test.each([
    [
      "a misspelt phase",
      extension({ phase: "AUTHX" }),
      "write one of UNSPECIFIED_PHASE, AUTHN, AUTHZ, STATS",
    ],
    ["a phase in lower case", extension({ phase: "authz" }), "AUTHN, AUTHZ"],
    ["a fraction for a phase", extension({ phase: 1.5 }), "AUTHN, AUTHZ"],
    [
      "a policy that is Kubernetes' own",
      extension({ imagePullPolicy: "Never" }),
      "write one of UNSPECIFIED_POLICY, IfNotPresent, Always",
    ],
    [
      "a source in a list",
      extension({ vmConfig: { env: [{ name: "A", valueFrom: "FILE" }] } }),
      "write one of INLINE, HOST",
    ],
    [
      "a mode of another message",
      extension({ match: { mode: "INBOUND" } }),
      "write one of UNDEFINED, CLIENT, SERVER, CLIENT_AND_SERVER",
    ],
    ["an unknown key", extension({ vmConfig: { environment: [] } }), "write one of env"],
    ["an unknown key at the top", { extension: {} }, "write one of parent, name, wasmExtension"],
  ])("%s lists the names that there are", async (_what, body, remedy) => {
    const { message } = said(await errorOf(JSON.stringify(body)));
    expect(message).toMatch(new RegExp(`^the request cannot be read: .*; .*${remedy}`));
  });

  test("no JSON at all names none", async () => {
    expect(said(await errorOf("{")).fields).toEqual([""]);
  });
});
