import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  WasmExtension_PullPolicy as PullPolicy,
  WasmExtensionSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  problemOfModuleUrl,
  sha256InUrl,
  withoutSha256,
} from "../../../src/catalog/names/module-url.ts";
import { effectivePullPolicy } from "../../../src/catalog/reads/pull-policy.ts";

const hex = "0123456789abcdef".repeat(4);

describe("the sha256 of an http(s) url", () => {
  test.each([`https://h/x.wasm#sha256=${hex}`, `http://me:pw@h:1/?q#sha256=${hex}`])(
    "is in the fragment of %s",
    (url) => {
      expect(problemOfModuleUrl(url)).toBeUndefined();
      expect(sha256InUrl(url)).toBe(hex);
      expect(`${withoutSha256(url)}#sha256=${hex}`).toBe(url);
    },
  );

  test.each([
    `https://h/x.wasm#sha256=${hex.toUpperCase()}`,
    `https://h/x.wasm#sha256=${hex.slice(1)}`,
    `https://h/x.wasm#sha256=${hex}0`,
    `https://h/x.wasm#sha256=${hex}#sha256=${hex}`,
    `https://h/x.wasm#sha256=${hex}&x`,
    `https://h/x.wasm#sha256:${hex}`,
    `https://h/x.wasm#sha-256=${hex}`,
    `https://h/x.wasm#SHA256=${hex}`,
    "https://h/x.wasm#sha256=",
  ])("%s is refused with the remedy", (url) => {
    expect(problemOfModuleUrl(url)).toContain("write #sha256= and 64 lower-case hex digits");
    expect(sha256InUrl(url)).toBeUndefined();
  });

  test.each([
    "https://h/x.wasm",
    "https://h/x.wasm#",
    "https://h/x.wasm#v1",
    `https://h/x.wasm#x#sha256=${hex}`,
    `https://h/x.wasm?sha256=${hex}`,
    `file:///x.wasm#sha256=${hex}`,
  ])("%s has none", (url) => {
    expect(sha256InUrl(url)).toBeUndefined();
    expect(withoutSha256(url)).toBe(url);
  });

  test("means that the module is fetched when it is not present, whatever the policy", () => {
    const policyOf = (url: string): PullPolicy =>
      effectivePullPolicy(create(WasmExtensionSchema, { url, imagePullPolicy: PullPolicy.Always }));
    expect(policyOf(`https://h/x.wasm#sha256=${hex}`)).toBe(PullPolicy.IfNotPresent);
    expect(policyOf("https://h/x.wasm#v1")).toBe(PullPolicy.Always);
  });
});
