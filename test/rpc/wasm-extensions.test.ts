import { create } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { WasmExtensionSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { refused } from "../support/errors.ts";
import { createInMemory, type InMemory } from "../support/in-memory.ts";
import { storedExtensions } from "../support/stored.ts";

const parent = "organizations/acme";
const fqn = `${parent}/extensions/auth`;
const url = "oci://ghcr.io/acme/auth:1.0";

async function withAuth(): Promise<InMemory & { etag: string }> {
  const catalog = createInMemory();
  const { etag } = await catalog.extensions.createWasmExtension({
    parent,
    name: "auth",
    wasmExtension: { url },
  });
  return { ...catalog, etag };
}

describe("defaults", () => {
  test.each([
    ["a url without a scheme is an OCI image", { url: "docker.io/x:1" }, "oci://docker.io/x:1"],
    ["an empty url is taken from the image", { image: "docker.io/x:1" }, "oci://docker.io/x:1"],
    ["an image may have a scheme", { image: "http://x.io/x.wasm" }, "http://x.io/x.wasm"],
    ["a url goes before an image", { url, image: "docker.io/x:1" }, url],
  ])("%s", async (_what, wasmExtension, expected) => {
    const { extensions } = createInMemory();
    const created = await extensions.createWasmExtension({ parent, name: "x", wasmExtension });
    expect(created.url).toBe(expected);
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- it is kept as it was sent
    expect(created.image).toBe("image" in wasmExtension ? wasmExtension.image : "");
  });
});

describe("create", () => {
  test("sets fqn and etag, and ignores an etag that was sent", async () => {
    const { extensions } = createInMemory();
    const wasmExtension = { url, fqn, etag: '"AAAAAAAAAAA="' };
    const created = await extensions.createWasmExtension({ parent, name: "auth", wasmExtension });
    expect(created.fqn).toBe(fqn);
    expect(created.etag).toMatch(/^"[A-Za-z0-9+/]{11}="$/);
    expect(created.etag).not.toBe(wasmExtension.etag);
  });

  test("refuses another fqn in the body", async () => {
    const { extensions } = createInMemory();
    const wasmExtension = { url, fqn: `${parent}/extensions/other` };
    const said = await refused(
      extensions.createWasmExtension({ parent, name: "auth", wasmExtension }),
    );
    expect(said).toMatchObject({ code: Code.InvalidArgument, fields: ["wasm_extension.fqn"] });
  });

  test("refuses a name that exists, and leaves what is there", async () => {
    const { extensions, etag } = await withAuth();
    const wasmExtension = { url: "oci://other" };
    const said = await refused(
      extensions.createWasmExtension({ parent, name: "auth", wasmExtension }),
    );
    expect(said).toMatchObject({
      code: Code.AlreadyExists,
      reason: "ALREADY_EXISTS",
      metadata: { fqn },
    });
    expect((await extensions.getWasmExtension({ fqn })).etag).toBe(etag);
  });

  test("names every field that is wrong", async () => {
    const { extensions } = createInMemory();
    const said = await refused(
      extensions.createWasmExtension({
        parent: "acme",
        name: "-",
        wasmExtension: { phase: 9 as never },
      }),
    );
    expect(said.fields.toSorted()).toEqual([
      "name",
      "parent",
      "wasm_extension.phase",
      "wasm_extension.url",
    ]);
    expect(said.metadata["violations"]).toBe("4");
  });

  test.each([
    ["parent", { parent: "organizations/Acme" }],
    ["parent", { parent: "organizations/acme/" }],
    ["parent", { parent: "organizations/acme\n" }],
    ["parent", { parent: `organizations/${"a".repeat(64)}` }],
    ["name", { name: "" }],
    ["name", { name: "a-" }],
    ["name", { name: "a/b" }],
    ["name", { name: "a".repeat(64) }],
  ])("refuses a %s that is no name: %j", async (field, wrong) => {
    const { extensions } = createInMemory();
    const request = { parent, name: "auth", wasmExtension: { url }, ...wrong };
    const said = await refused(extensions.createWasmExtension(request));
    expect(said).toMatchObject({ code: Code.InvalidArgument, fields: [field] });
    expect(said.message).toMatch(/; write /);
  });

  test("refuses a request without an extension", async () => {
    const said = await refused(
      createInMemory().extensions.createWasmExtension({ parent, name: "x" }),
    );
    expect(said.fields).toEqual(["wasm_extension"]);
  });
});

describe("update", () => {
  test("replaces all of it, and changes the etag", async () => {
    const { extensions, etag } = await withAuth();
    const full = { fqn, etag, url, priority: 7, source: "s", config: { a: 1 } };
    const first = await extensions.updateWasmExtension(full);
    const second = await extensions.updateWasmExtension({ fqn, etag: first.etag, url });
    expect(second).toMatchObject({ priority: 0, source: "" });
    expect(second.config).toBeUndefined();
    expect(new Set([etag, first.etag, second.etag]).size).toBe(3);
  });

  test("that changes nothing keeps the etag and makes no commit", async () => {
    const { extensions, etag, reader } = await withAuth();
    const { revision } = reader.state;
    const same = await extensions.updateWasmExtension({ fqn, etag, url: "ghcr.io/acme/auth:1.0" });
    expect(same.etag).toBe(etag);
    expect(reader.state.revision).toBe(revision);
  });

  const stale = '"AAAAAAAAAAA="';
  test.each([
    ["no etag", { fqn, url }, { code: Code.InvalidArgument, fields: ["etag"] }],
    ["no fqn", { url, etag: stale }, { code: Code.InvalidArgument, fields: ["fqn"] }],
    [
      "another kind of fqn",
      { fqn: `${parent}/tenants/t`, url, etag: stale },
      { code: Code.InvalidArgument, fields: ["fqn"] },
    ],
    ["a stale etag", { fqn, url, etag: stale }, { code: Code.Aborted, reason: "ETAG_MISMATCH" }],
    [
      "a name that is not there",
      { fqn: `${fqn}-2`, url, etag: stale },
      { code: Code.NotFound, reason: "NOT_FOUND" },
    ],
  ])("with %s is refused and changes nothing", async (_what, request, expected) => {
    const { extensions, reader } = await withAuth();
    const { revision } = reader.state;
    expect(await refused(extensions.updateWasmExtension(request))).toMatchObject(expected);
    expect(reader.state.revision).toBe(revision);
  });

  test.each([
    "x",
    '"x"',
    "GIc73bzDiK8=",
    'W/"GIc73bzDiK8="',
    '""',
    `\\"GIc73bzDiK8=\\"`,
    '"GIc73bzDiK8=\n"',
  ])(
    "with %j, which is not an etag of this server, is refused and says what one looks like",
    async (etag) => {
      const { extensions } = await withAuth();
      const said = await refused(extensions.updateWasmExtension({ fqn, url, etag }));
      expect(said).toMatchObject({ code: Code.InvalidArgument, fields: ["etag"] });
      expect(said.message).toContain('such as "GIc73bzDiK8="');
    },
  );
});

describe("delete", () => {
  test("removes the extension, and frees its name", async () => {
    const { extensions, etag } = await withAuth();
    await extensions.deleteWasmExtension({ fqn });
    expect((await refused(extensions.getWasmExtension({ fqn }))).code).toBe(Code.NotFound);
    expect((await refused(extensions.deleteWasmExtension({ fqn }))).code).toBe(Code.NotFound);
    const again = await extensions.createWasmExtension({
      parent,
      name: "auth",
      wasmExtension: { url },
    });
    expect(again.etag).not.toBe(etag);
  });
});

test("a field that this version does not know is not stored", async () => {
  const { extensions, reader } = createInMemory();
  const wasmExtension = create(WasmExtensionSchema, { url });
  wasmExtension.$unknown = [{ no: 1000, wireType: WireType.Varint, data: new Uint8Array([1]) }];
  await extensions.createWasmExtension({ parent, name: "auth", wasmExtension });
  expect(storedExtensions(reader).get(fqn)?.$unknown).toBeUndefined();
});

test("what is stored is never changed in place", async () => {
  const { reader, extensions } = await withAuth();
  const [before] = [...storedExtensions(reader).values()];
  await extensions.updateWasmExtension({
    ...(await extensions.getWasmExtension({ fqn })),
    priority: 9,
  });
  expect(before?.priority).toBe(0);
  expect(Object.isFrozen(before)).toBe(true);
});
