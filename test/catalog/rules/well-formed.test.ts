import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { CreateWasmExtensionRequestSchema } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import type { WasmExtensionSchema } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { problemsOfForm } from "../../../src/catalog/rules/well-formed.ts";

const long = "ä".repeat(8_193);

function problemsOf(wasmExtension: MessageInitShape<typeof WasmExtensionSchema>, name = "x") {
  const request = { parent: "organizations/acme", name, wasmExtension };
  const { problems } = problemsOfForm(
    CreateWasmExtensionRequestSchema,
    create(CreateWasmExtensionRequestSchema, request),
  );
  return problems.map(({ field, violation }) => [field, violation.ruleId]);
}

describe("text that rules look at is refused for its length, before they do", () => {
  test("in a name", () => {
    expect(problemsOf({}, long)).toEqual([["name", "wasmext.max_length"]]);
  });
  test("in a list", () => {
    expect(problemsOf({ allowedIn: ["a", long] })).toEqual([
      ["wasm_extension.allowed_in[1]", "wasmext.max_length"],
    ]);
  });
  test("below a list", () => {
    expect(problemsOf({ vmConfig: { env: [{ name: "A" }, { name: long }] } })).toEqual([
      ["wasm_extension.vm_config.env[1].name", "wasmext.max_length"],
    ]);
  });
  test("up to the limit it is not", () => {
    expect(problemsOf({ url: long.slice(1) }, long.slice(1))).toEqual([]);
  });
});

test("text without rules may be as long as the request", () => {
  const text = long.repeat(10);
  expect(problemsOf({ description: text, config: { [text]: text } })).toEqual([]);
});
