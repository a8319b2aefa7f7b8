import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inspectModule, maxExportBytes, maxSections } from "../../src/modules/wasm/inspect.ts";
import { ModuleFault } from "../../src/modules/problem.ts";
import { header, neededFunctions, number, section, text, wasm } from "./support/wasm.ts";

const compiler = Reflect.get(globalThis, "WebAssembly") as {
  validate(bytes: Uint8Array): boolean;
};

function inspect(bytes: Uint8Array): Promise<void> {
  return inspectModule({
    size: bytes.byteLength,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  });
}

async function reasonOf(bytes: Uint8Array): Promise<string> {
  const error: unknown = await inspect(bytes).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) {
    return "";
  }
  expect(error).toBeInstanceOf(ModuleFault);
  const { reason, message } = error as ModuleFault;
  return `${reason}: ${message}`;
}

test.each([
  ["the newest interface", wasm()],
  ["an older interface", wasm({ functions: ["proxy_abi_version_0_1_0", "malloc"] })],
  ["an interface between", wasm({ functions: ["malloc", "proxy_abi_version_0_2_0"] })],
  [
    "other exports, and other sections",
    wasm({ functions: [...neededFunctions, "x".repeat(200)], padding: 1e6 }),
  ],
])("a module with %s is one, and a compiler takes it too", async (_, bytes) => {
  expect(await reasonOf(bytes)).toBe("");
  expect(compiler.validate(bytes)).toBe(true);
});

test.each([
  [Buffer.alloc(0), "empty"],
  [Buffer.from("\0as"), "not WebAssembly"],
  [Buffer.from("<!DOCTYPE html>"), "HTML"],
  [Buffer.from("7f454c4602010100", "hex"), "precompiled"],
  [Buffer.from("1f8b080000000000", "hex"), "gzip"],
  [Buffer.from("(module)"), "text form"],
  [Buffer.from("0061736d0d000100", "hex"), "component"],
  [Buffer.from("0061736d02000000", "hex"), "version"],
  [Buffer.from("0061736d01", "hex"), "version"],
  [wasm().subarray(0, -1), "cut off"],
  [Buffer.concat([header, Buffer.from([99, 0])]), "unknown kind 99"],
  [Buffer.concat([header, Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 0xff])]), "number"],
  [Buffer.concat([header, Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 0x0f])]), "cut off"],
  [Buffer.concat([wasm(), section(7, [0])]), "two export sections"],
  [Buffer.concat([header, section(7, [0, 0])]), "longer than its exports"],
  [Buffer.concat([header, section(7, [5, 1])]), "cut off"],
  [Buffer.concat([header, section(7, [0xff, 0xff, 0xff, 0xff, 0x0f])]), "cut off"],
  [Buffer.concat([header, section(7, Buffer.alloc(maxExportBytes + 1))]), "256 KiB"],
  [
    Buffer.concat([header, ...Array<Buffer>(maxSections + 1).fill(section(0, []))]),
    "10000 sections",
  ],
])("%#: NOT_WASM names what is wrong", async (bytes, what) => {
  expect(await reasonOf(bytes)).toMatch(/^NOT_WASM: /);
  expect(await reasonOf(bytes)).toContain(what);
});

describe("NO_PROXY_WASM names what lacks", () => {
  test.each([
    [header, "proxy_abi_version_0_2_1"],
    [wasm({ functions: ["malloc"] }), "proxy_abi_version_0_2_1"],
    [wasm({ functions: ["malloc", "proxy_abi_version_0_3_0"] }), "proxy_abi_version_0_3_0, which"],
    [wasm({ functions: ["proxy_abi_version_0_2_1"] }), "malloc"],
    [wasm({ memory: "" }), "no memory"],
    [wasm({ memory: "mem" }), "no memory"],
    [wasm({ functions: ["malloc"], memory: "proxy_abi_version_0_2_1" }), "no function"],
  ])("%#", async (bytes, what) => {
    expect(await reasonOf(bytes)).toMatch(/^NO_PROXY_WASM: /);
    expect(await reasonOf(bytes)).toContain(what);
  });
});

test("bytes that are changed or cut are refused with a reason, or are a module still", async () => {
  const whole = wasm();
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.byteLength - 1),
      fc.integer({ min: 0, max: 255 }),
      fc.nat(whole.byteLength),
      async (at, byte, length) => {
        const bytes = Buffer.from(whole);
        bytes[at] = byte;
        expect(await reasonOf(bytes.subarray(0, length))).toMatch(/^$|^NOT_WASM|^NO_PROXY_WASM/);
      },
    ),
  );
});

test("an export section that is as large as it may be takes little time", async () => {
  const entry = [...text(""), 0, 0];
  const count = Math.floor((maxExportBytes - 5) / entry.length);
  const content = Buffer.concat([Buffer.from(number(count)), Buffer.alloc(count * entry.length)]);
  const begunAt = performance.now();
  expect(await reasonOf(Buffer.concat([header, section(7, content)]))).toMatch(/^NO_PROXY_WASM/);
  expect(performance.now() - begunAt).toBeLessThan(1_000);
});
