/* Modules that are images in registries: layouts, indexes, digests. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { failed, ready, settled, source, testModules } from "./support/following.ts";
import { digestOf, type Registry, serveRegistry, tar, types } from "./support/registry.ts";
import { until } from "../support/stream.ts";
import { wasm } from "./support/wasm.ts";

const module = wasm();

/** Adds an image with layers, the uppermost last. */
function image(registry: Registry, layers: readonly Uint8Array[], mediaType: string, tag?: string) {
  return registry.manifest(
    {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: registry.blob(
        Buffer.from('{"rootfs":{}}'),
        "application/vnd.oci.image.config.v1+json",
      ),
      layers: layers.map((layer) => registry.blob(layer, mediaType)),
    },
    tag,
  );
}

function index(registry: Registry, manifests: readonly object[], tag = "1.0") {
  return registry.manifest({ schemaVersion: 2, mediaType: types.index, manifests }, tag);
}

describe("layouts", () => {
  test("an artifact is its layer", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    registry.artifact(module);
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
  });

  test("a reference without a tag has the tag latest, and one with a digest has no use for its tag", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const { digest } = registry.artifact(module, "latest");
    const place = `oci://${registry.host}/acme/auth`;
    expect(await settled(modules, source(place))).toEqual(ready(module));
    expect(await settled(modules, source(`${place}:gone@${digest}`))).toEqual(ready(module));
    expect(registry.asked.filter((path) => path.includes("manifests"))).toEqual([
      "GET /v2/acme/auth/manifests/latest",
      `GET /v2/acme/auth/manifests/${digest}`,
    ]);
  });

  test("an artifact whose config is empty is taken", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const config = { mediaType: types.config, digest: digestOf(Buffer.from("")), size: 0 };
    const layers = [registry.blob(module, "application/wasm")];
    registry.manifest({ schemaVersion: 2, config, layers }, "1.0");
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
  });

  test("an artifact with the empty config of OCI is taken, even if the registry does not have it", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const config = registry.blob(Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
    registry.content.delete(`blobs/${config.digest}`);
    const layers = [registry.blob(module, types.wasm)];
    const artifactType = "application/vnd.wasm";
    registry.manifest({ schemaVersion: 2, artifactType, config, layers }, "1.0");
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
  });

  test("null is no list: neither of layers in an index, nor of manifests in an image", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const layers = [registry.blob(module, types.wasm)];
    const config = registry.blob(Buffer.from("{}"), types.config);
    const image = { schemaVersion: 2, config, layers, manifests: null };
    const entry = { ...registry.manifest(image), platform: null, annotations: null };
    registry.manifest(
      { schemaVersion: 2, mediaType: types.index, manifests: [entry], layers: null },
      "1.0",
    );
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
  });

  test.each([
    ["taken", (bytes: Uint8Array) => gzipSync(bytes), ready(module)],
    ["bounded", () => gzipSync(Buffer.alloc(2_000_000, 32)), failed("TOO_LARGE", "1048576")],
    ["checked", () => Buffer.from("x"), failed("BAD_ANSWER", "not valid gzip")],
  ])(
    "manifests and configs that a registry compresses without being asked are %s",
    async (_, pack, expected) => {
      await using registry = await serveRegistry();
      await using modules = testModules();
      registry.artifact(module);
      registry.before = ({ url = "" }, response) => {
        const found = registry.content.get(url.replace("/v2/acme/auth/", ""));
        if (found === undefined || found.mediaType === types.wasm) {
          return false;
        }
        response.writeHead(200, { "content-encoding": "gzip" }).end(pack(found.bytes));
        return true;
      };
      const url = `oci://${registry.host}/acme/auth:1.0`;
      expect(await settled(modules, source(url))).toEqual(expected);
    },
  );

  const archive = tar({
    "./etc/a": Buffer.alloc(700),
    "./plugin.wasm": module,
    b: Buffer.from("b"),
  });

  test.each([
    ["Docker's, compressed", types.dockerLayer, gzipSync(archive)],
    ["OCI's, compressed", types.ociLayer, gzipSync(archive)],
    ["OCI's", "application/vnd.oci.image.layer.v1.tar", archive],
  ])("of an image: %s", async (_, mediaType, layer) => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    image(registry, [layer], mediaType, "1.0");
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
  });

  test("the uppermost layer with plugin.wasm counts", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const layers = [
      { "plugin.wasm": wasm({ variant: "old" }) },
      { "plugin.wasm": module },
      { x: module },
    ];
    image(
      registry,
      layers.map((files) => gzipSync(tar(files))),
      types.ociLayer,
      "1.0",
    );
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
  });
});

describe("an index leads to", () => {
  const linux = (architecture: string) => ({ os: "linux", architecture });

  test.each([
    ["linux/amd64", [linux("arm64"), linux("amd64")], 1],
    [
      "wasm, where there is no linux/amd64",
      [linux("arm64"), { os: "wasip1", architecture: "wasm" }],
      1,
    ],
    ["the one without a platform", [linux("s390x"), undefined], 1],
    ["the first one otherwise", [linux("s390x"), linux("arm64")], 0],
    [
      "an image, not an attestation",
      [{ os: "unknown", architecture: "unknown" }, linux("arm64")],
      1,
    ],
  ])("%s", async (_, platforms, chosen) => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const manifests = platforms.map((platform, at) => ({
      ...registry.artifact(wasm({ variant: String(at) }), `t${at}`),
      ...(platform && { platform }),
    }));
    index(registry, manifests);
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(ready(wasm({ variant: String(chosen) })));
  });

  test("another index, but not for ever", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const inner = index(registry, [registry.artifact(module)], "inner");
    const middle = index(registry, [inner], "middle");
    index(registry, [middle], "outer");
    const place = `oci://${registry.host}/acme/auth`;
    expect(await settled(modules, source(`${place}:middle`))).toEqual(ready(module));
    expect(await settled(modules, source(`${place}:outer`))).toEqual(
      failed("BAD_MANIFEST", "index of indexes"),
    );
  });
});

describe("what is not what its digest says is refused", () => {
  test("a manifest by its digest", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    registry.artifact(module);
    const digest = digestOf(Buffer.from("other"));
    const bytes = registry.content.get("manifests/1.0");
    registry.content.set(`manifests/${digest}`, bytes ?? { bytes: module, mediaType: "" });
    const url = `oci://${registry.host}/acme/auth@${digest}`;
    expect(await settled(modules, source(url))).toEqual(
      failed("DIGEST_MISMATCH", "the manifest has"),
    );
  });

  test.each(["layer", "config", "manifest in an index"])("a %s", async (part) => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const artifact = registry.artifact(module);
    index(registry, [artifact], "index");
    for (const [path, entry] of registry.content) {
      const isPart = {
        layer: path === `blobs/${digestOf(module)}`,
        config: path.startsWith("blobs/") && path !== `blobs/${digestOf(module)}`,
        "manifest in an index": path === `manifests/${artifact.digest}`,
      }[part];
      if (isPart === true) {
        const bytes = Buffer.from(entry.bytes);
        bytes[bytes.byteLength - 1] = 0x20;
        registry.content.set(path, { ...entry, bytes });
      }
    }
    const url = `oci://${registry.host}/acme/auth:index`;
    expect(await settled(modules, source(url))).toEqual(failed("DIGEST_MISMATCH", "instead of"));
  });

  test("a layer that is shorter, or longer, than its descriptor says", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const config = registry.blob(Buffer.from("{}"), types.config);
    for (const [tag, difference, reason] of [
      ["longer", -1, "TOO_LARGE"],
      ["shorter", 1, "DIGEST_MISMATCH"],
    ] as const) {
      const layer = registry.blob(module, types.wasm);
      const layers = [{ ...layer, size: layer.size + difference }];
      registry.manifest({ schemaVersion: 2, config, layers }, tag);
      const url = `oci://${registry.host}/acme/auth:${tag}`;
      expect(await settled(modules, source(url))).toEqual(failed(reason, "bytes"));
    }
  });

  test("sha512 is checked, too, and other digests are not known", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    registry.artifact(module);
    const manifest = registry.content.get("manifests/1.0");
    const hex = createHash("sha512")
      .update(manifest?.bytes ?? "")
      .digest("hex");
    registry.content.set(`manifests/sha512:${hex}`, manifest ?? { bytes: module, mediaType: "" });
    const place = `oci://${registry.host}/acme/auth`;
    expect(await settled(modules, source(`${place}@sha512:${hex}`))).toEqual(ready(module));
    registry.content.set(`manifests/blake3:${"a".repeat(64)}`, { bytes: module, mediaType: "" });
    expect(await settled(modules, source(`${place}@blake3:${"a".repeat(64)}`))).toEqual(
      failed("UNSUPPORTED", "sha256 or sha512"),
    );
  });
});

describe("manifests that cannot be used", () => {
  const digest = digestOf(module);
  const config = { mediaType: types.config, digest: digestOf(Buffer.from("")), size: 0 };
  const layer = { mediaType: types.wasm, digest, size: module.byteLength };

  test.each([
    ["not JSON", "<html>", "is not JSON"],
    ["null", "null", "should be"],
    ["a list", "[]", "should be"],
    ["schema 1", { schemaVersion: 1, fsLayers: [] }, "version other than 2"],
    ["both", { schemaVersion: 2, layers: [layer], manifests: [] }, "both"],
    ["neither", { schemaVersion: 2 }, "neither"],
    ["no layers", { schemaVersion: 2, config, layers: [] }, "no layer"],
    ["no manifests", { schemaVersion: 2, manifests: [] }, "without images"],
    ["no config", { schemaVersion: 2, layers: [layer] }, "should be"],
    ["a layer of null", { schemaVersion: 2, config, layers: [null] }, "should be"],
    [
      "a path for a digest",
      { schemaVersion: 2, config, layers: [{ ...layer, digest: "../../x" }] },
      "digest",
    ],
    [
      "a short digest",
      { schemaVersion: 2, config, layers: [{ ...layer, digest: "sha256:ab" }] },
      "digest",
    ],
    ["a negative size", { schemaVersion: 2, config, layers: [{ ...layer, size: -1 }] }, "size"],
    ["a size of text", { schemaVersion: 2, config, layers: [{ ...layer, size: "1" }] }, "size"],
    [
      "another layer",
      { schemaVersion: 2, config, layers: [{ ...layer, mediaType: "text/html" }] },
      "text/html",
    ],
    [
      "an ugly type",
      { schemaVersion: 2, config, layers: [{ ...layer, mediaType: "a\nb" }] },
      "unreadable",
    ],
    [
      "zstd",
      {
        schemaVersion: 2,
        config,
        layers: [{ ...layer, mediaType: "application/vnd.oci.image.layer.v1.tar+zstd" }],
      },
      "tar+zstd",
    ],
  ])("%s", async (_, manifest, text) => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const bytes = Buffer.from(typeof manifest === "string" ? manifest : JSON.stringify(manifest));
    registry.content.set("manifests/1.0", { bytes, mediaType: types.manifest });
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(failed("BAD_MANIFEST", text));
  });

  test.each([
    ["without plugin.wasm", gzipSync(tar({ "other.wasm": module })), "no layer with the file"],
    ["that are no archives", gzipSync(module), "not a valid archive"],
    ["that are not compressed", tar({ "plugin.wasm": module }), "not a valid archive"],
    [
      "that are cut off",
      gzipSync(tar({ "plugin.wasm": module }).subarray(0, 600)),
      "not a valid archive",
    ],
    [
      "whose compression is cut off",
      gzipSync(tar({ "plugin.wasm": module })).subarray(0, -12),
      "not a valid archive",
    ],
    ["whose plugin.wasm is a folder", gzipSync(folder("plugin.wasm")), "no layer with the file"],
  ])("layers %s", async (_, layer, text) => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    image(registry, [layer], types.ociLayer, "1.0");
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(failed("BAD_MANIFEST", text));
  });

  test("a layer that says it has 10 GiB is not asked for", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const layers = [{ ...layer, size: 10 * 1024 ** 3 }];
    registry.manifest({ schemaVersion: 2, config, layers }, "1.0");
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(failed("TOO_LARGE", "10737418240"));
    expect(registry.asked).toHaveLength(1);
  });

  test("a manifest of more than 1 MiB is not read", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const bytes = Buffer.alloc(2 * 1024 * 1024, " ");
    registry.content.set("manifests/1.0", { bytes, mediaType: types.manifest });
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(failed("TOO_LARGE", "1048576"));
  });

  test.each([
    ["before", { big: Buffer.alloc(20 * 1024 * 1024), "plugin.wasm": module }],
    ["as", { "plugin.wasm": Buffer.concat([module, Buffer.alloc(20 * 1024 * 1024)]) }],
    ["after", { "plugin.wasm": module, big: Buffer.alloc(20 * 1024 * 1024) }],
  ])("a bomb %s the module is not unpacked", async (_, files) => {
    await using registry = await serveRegistry();
    await using modules = testModules({ maxModuleBytes: 1024 * 1024 });
    image(registry, [gzipSync(tar(files))], types.ociLayer, "1.0");
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(failed("TOO_LARGE", "--max-module-bytes"));
  });
});

test("a layer whose module is too large is not read to its end", async () => {
  await using registry = await serveRegistry();
  await using modules = testModules({ maxModuleBytes: 1024 * 1024 });
  const large = tar({ "plugin.wasm": Buffer.concat([module, Buffer.alloc(1200 * 1024)]) });
  image(registry, [large], "application/vnd.oci.image.layer.v1.tar", "1.0");
  let closed = 0;
  registry.before = ({ url }, response) => {
    if (url?.endsWith(digestOf(large)) !== true) {
      return false;
    }
    response.on("close", () => closed++);
    response.write(large.subarray(0, -1));
    return true;
  };
  const url = `oci://${registry.host}/acme/auth:1.0`;
  expect(await settled(modules, source(url))).toEqual(failed("TOO_LARGE", "1048576"));
  await until(() => closed > 0, "the end of the connection");
});

describe("registries", () => {
  test("that are not on this machine are spoken to over TLS", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules({ lookup: () => Promise.resolve(["127.0.0.1"]) });
    registry.artifact(module);
    const url = `oci://registry.test:${registry.port}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(failed("UNREACHABLE", "registry.test"));
    expect(registry.asked).toEqual([]);
  });

  test.each(["127.0.0.1", "localhost", "0x7f.0.0.1"])(
    "on this machine, %s, are spoken to without",
    async (host) => {
      await using registry = await serveRegistry();
      await using modules = testModules();
      registry.artifact(module);
      const url = `oci://${host}:${registry.port}/acme/auth:1.0`;
      expect(await settled(modules, source(url))).toEqual(ready(module));
    },
  );

  test.each([
    "oci://127.0.0.1:1/a",
    "oci://localhost/a",
    "oci://[::1]:5000/a",
    "oci://169.254.169.254/a",
  ])("%s has to be allowed", async (url) => {
    await using modules = testModules({
      allowedNetworks: [],
      lookup: () => Promise.resolve(["127.0.0.1"]),
    });
    expect(await settled(modules, source(url))).toEqual(failed("ADDRESS_REFUSED", "not fetched"));
  });

  test("that do not have the image are named", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(
      failed("NOT_FOUND", `${url}: ${registry.host} has no acme/auth with 1.0`),
    );
  });

  test.each([
    [429, "limits how often"],
    [500, "HTTP status 500"],
    [200, "not JSON"],
  ])("that answer with %i are named", async (status, text) => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    registry.before = (_, response) => Boolean(response.writeHead(status).end("<html>"));
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toMatchObject({
      problem: { message: expect.stringContaining(text) as string },
    });
  });
});

test("an image of Docker Hub is asked for as Docker does", async () => {
  const names: string[] = [];
  await using modules = testModules({
    lookup: (name) => {
      names.push(name);
      return Promise.resolve([]);
    },
  });
  for (const image of ["nginx", "docker.io/acme/auth", "index.docker.io/acme/auth"]) {
    await settled(modules, source(`oci://${image}`));
  }
  expect(names).toEqual(Array(3).fill("registry-1.docker.io"));
});

/** An archive with a folder. */
function folder(name: string): Buffer {
  const archive = tar({ [name]: Buffer.alloc(0) });
  // The type, and the sum of the header with it.
  archive.write("5", 156);
  archive.write("        ", 148);
  const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return archive;
}
