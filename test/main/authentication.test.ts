/* Authentication of the process. */
import { join } from "node:path";
import { Code, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { acme } from "../support/acme.ts";
import { folderOf } from "../support/cli.ts";
import { refused } from "../support/errors.ts";
import { audience, issuer, keySetOf, makeKey, serveKeySet, sign } from "../support/issuer.ts";
import { startProcess } from "../support/process.ts";
import { protocols } from "../support/secured.ts";
import { cert, key as tlsKey } from "../support/tls.testdata.ts";

const grpc = protocols[0]?.[1] ?? expect.fail("no protocol");
const rules = ["--issuer", issuer, "--audience", "other", "--audience", audience];

test("keys are fetched at the start, and not by calls, whatever their tokens say", async () => {
  const [one, two] = [await makeKey("one"), await makeKey("two", "EdDSA")];
  await using keys = await serveKeySet(keySetOf(one));
  const { child, firstLine, ended } = startProcess([
    ...["serve", "--port", "0", "--auth", "jwt", "--jwks", keys.url, ...rules],
  ]);
  const url = (await firstLine).split(" ").at(-1) ?? "";
  const claims = { "wasmext.grants": [{ resource: acme, permissions: ["READ"] }] };
  const list = async (token?: string) =>
    createClient(WasmExtensions, grpc(url, token)).listWasmExtension({ parent: acme });
  const before = await sign(one, claims);
  for (let call = 0; call < 20; call++) {
    await list(before);
  }
  expect(keys.asked).toBe(1);
  keys.answer = keySetOf(two);
  // Nothing is fetched within the cooldown after the start.
  expect((await refused(list(await sign(two, claims)))).reason).toBe("TOKEN_INVALID");
  expect(keys.asked).toBe(1);
  await list(before);
  expect(Code[(await refused(list())).code]).toBe("Unauthenticated");
  child.kill();
  expect((await ended).exitCode).toBe(0);
});

describe("what cannot be used is one clear line, and exit code 1", () => {
  let folder: ReturnType<typeof folderOf>;
  beforeAll(async () => {
    folder = folderOf({
      "keys.json": keySetOf(await makeKey("one")),
      "html.json": "<html>",
      "grants.yaml": "rules: []\nrule: []\n",
      "tls.crt": cert,
      "tls.key": tlsKey,
    });
  });
  afterAll(() => {
    folder[Symbol.dispose]();
  });

  test.each([
    ["keys that are missing", ["--auth", "jwt", "--jwks", "@missing", ...rules], "ENOENT"],
    ["keys that are no keys", ["--auth", "jwt", "--jwks", "@html.json", ...rules], "not JSON"],
    [
      "a server of keys that does not answer",
      ["--auth", "jwt", "--jwks", "http://127.0.0.1:1/keys", ...rules],
      "the keys at http://127.0.0.1:1/keys cannot be used",
    ],
    [
      "grants",
      ["--auth", "jwt", "--jwks", "@keys.json", ...rules, "--grants", "@grants.yaml"],
      'grants.yaml:2: "rule" is not known',
    ],
    [
      "grants that are missing",
      ["--auth", "jwt", "--jwks", "@keys.json", ...rules, "--grants", "@missing.yaml"],
      "the grants file cannot be read: ENOENT",
    ],
    [
      "a CA",
      ["--tls-cert", "@tls.crt", "--tls-key", "@tls.key", "--tls-client-ca", "@html.json"],
      "does not hold certificates in PEM",
    ],
  ])("%s", async (_what, parameters, problem) => {
    const named = parameters.map((text) =>
      text.startsWith("@") ? join(folder.path, text.slice(1)) : text,
    );
    const { exitCode, stdout, stderr } = await startProcess(["serve", "--port", "0", ...named])
      .ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(/^error: [^\n]*\n$/);
    expect(stderr).toContain(problem);
  });
});

test("WASMEXT_ALLOW_ANONYMOUS=false does not mean true", async () => {
  const environment = { WASMEXT_ALLOW_ANONYMOUS: "false", WASMEXT_HOST: "0.0.0.0" };
  expect((await startProcess(["serve", "--port", "0"], environment).ended).exitCode).toBe(2);
});
