/* The cache on disk: restarts, damage, bounds, several servers, several organizations. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createModules } from "../../src/modules/create-modules.ts";
import { folderOf } from "../support/cli.ts";
import {
  always,
  failed,
  following,
  ready,
  settled,
  source,
  testModules,
} from "./support/following.ts";
import { answerBytes, digestOf, serve, serveRegistry } from "./support/registry.ts";
import { wasm } from "./support/wasm.ts";

const module = wasm();
const hexOf = (bytes: Uint8Array): string => digestOf(bytes).slice("sha256:".length);
const fileOf = (folder: string, bytes: Uint8Array): string =>
  join(folder, "modules", `${hexOf(bytes)}.wasm`);

test("nothing is made on disk before a module is followed", async () => {
  using parent = folderOf({});
  const folder = join(parent.path, "a/b");
  await using modules = testModules({ folder });
  expect(existsSync(folder)).toBe(false);
  await expect(modules.bytes("../../etc/passwd")).rejects.toThrow("does not have");
  await settled(modules, source("http://localhost:1/"));
  expect(readdirSync(folder).toSorted()).toEqual(["drafts", "modules", "sources"]);
  expect(statSync(join(folder, "modules")).mode & 0o77).toBe(0);
});

test("after a restart, IfNotPresent needs no network", async () => {
  using folder = folderOf({});
  const registry = await serveRegistry();
  const url = `oci://${registry.host}/acme/auth:1.0`;
  {
    await using modules = testModules({ folder: folder.path });
    registry.artifact(module);
    await settled(modules, source(url));
  }
  await registry[Symbol.asyncDispose]();
  await using modules = testModules({ folder: folder.path });
  expect(await settled(modules, source(url))).toEqual(ready(module));
  expect(Buffer.from(await modules.bytes(hexOf(module)))).toEqual(module);
});

test("after a restart, Always has the last good module, and says what is wrong with the registry", async () => {
  using folder = folderOf({});
  const registry = await serveRegistry();
  const url = `oci://${registry.host}/acme/auth:1.0`;
  {
    await using modules = testModules({ folder: folder.path });
    registry.artifact(module);
    await settled(modules, source(url, always));
  }
  await registry[Symbol.asyncDispose]();
  await using modules = testModules({ folder: folder.path, timing: { checkMs: 1 } });
  expect(await settled(modules, source(url, always))).toMatchObject({
    ...ready(module),
    problem: { reason: "UNREACHABLE" },
  });
});

test("after a restart, Always does not check again what was checked within the interval", async () => {
  using folder = folderOf({});
  await using registry = await serveRegistry();
  const url = `oci://${registry.host}/acme/auth:1.0`;
  registry.artifact(module);
  for (let start = 0; start < 3; start++) {
    await using modules = testModules({ folder: folder.path });
    expect(await settled(modules, source(url, always))).toEqual(ready(module));
  }
  expect(registry.asked).toHaveLength(3);
});

test("after a restart, a registry that does not answer does not keep the module back for long", async () => {
  using folder = folderOf({});
  await using registry = await serveRegistry();
  const url = `oci://${registry.host}/acme/auth:1.0`;
  registry.artifact(module);
  {
    await using modules = testModules({ folder: folder.path });
    await settled(modules, source(url, always));
  }
  registry.before = () => true;
  await using modules = testModules({ folder: folder.path, timing: { checkMs: 1, graceMs: 20 } });
  expect(await settled(modules, source(url, always))).toEqual(ready(module));
});

describe("a damaged file", () => {
  const damages: [string, (path: string) => void][] = [
    [
      "is longer",
      (path) => {
        appendFileSync(path, "x");
      },
    ],
    [
      "is cut off",
      (path) => {
        truncateSync(path, 10);
      },
    ],
    [
      "is empty",
      (path) => {
        truncateSync(path, 0);
      },
    ],
    [
      "has other bytes",
      (path) => {
        writeFileSync(path, wasm({ variant: "evil" }));
      },
    ],
    [
      "is gone",
      (path) => {
        rmSync(path);
      },
    ],
  ];

  test.each(damages)("that %s is fetched again at the next start", async (_, damage) => {
    using folder = folderOf({});
    await using server = await serve(answerBytes(module));
    const url = `http://${server.host}/x`;
    {
      await using modules = testModules({ folder: folder.path });
      await settled(modules, source(url));
    }
    damage(fileOf(folder.path, module));
    await using modules = testModules({ folder: folder.path });
    expect(await settled(modules, source(url))).toEqual(ready(module));
    expect(Buffer.from(await modules.bytes(hexOf(module)))).toEqual(module);
    expect(server.asked).toHaveLength(2);
  });

  test("is fetched again when its bytes are asked for", async () => {
    await using server = await serve(answerBytes(module));
    await using modules = testModules();
    await settled(modules, source(`http://${server.host}/x`));
    writeFileSync(fileOf(modules.folder, module), "x");
    expect(Buffer.from(await modules.bytes(hexOf(module)))).toEqual(module);
    expect(server.asked).toHaveLength(2);
    expect(readFileSync(fileOf(modules.folder, module))).toEqual(module);
  });

  test("and a source that has another module now", async () => {
    let answer = module;
    await using server = await serve((_, response) => void response.end(answer));
    await using modules = testModules();
    const followed = following(modules, source(`http://${server.host}/x`));
    await followed.until(({ kind }) => kind === "ready");
    answer = wasm({ variant: "new" });
    writeFileSync(fileOf(modules.folder, module), "x");
    await expect(modules.bytes(hexOf(module))).rejects.toThrow("does not have");
    expect(followed.state).toEqual(ready(answer));
  });

  test("of what a source had is as none", async () => {
    using folder = folderOf({});
    await using server = await serve(answerBytes(module));
    const url = `http://${server.host}/x`;
    const texts = [
      "",
      "{",
      "null",
      "[]",
      '{"digest":"../../x"}',
      '{"digest":1}',
      `{"digest":"${"a".repeat(64)}","validator":5}`,
      "x".repeat(100_000),
    ];
    for (const text of texts) {
      await using modules = testModules({ folder: folder.path });
      expect(await settled(modules, source(url))).toEqual(ready(module));
      for (const name of readdirSync(join(folder.path, "sources"))) {
        writeFileSync(join(folder.path, "sources", name), text);
      }
    }
    expect(server.asked).toHaveLength(texts.length);
  });
});

test("a folder that is removed is made again", async () => {
  await using server = await serve(
    (request, response) => void response.end(wasm({ variant: request.url ?? "" })),
  );
  await using modules = testModules();
  await settled(modules, source(`http://${server.host}/1`));
  rmSync(modules.folder, { recursive: true });
  expect((await settled(modules, source(`http://${server.host}/2`))).kind).toBe("ready");
  expect(Buffer.from(await modules.bytes(hexOf(wasm({ variant: "/1" }))))).toEqual(
    wasm({ variant: "/1" }),
  );
});

test("a folder that cannot be made is a problem that tells no path", async () => {
  using folder = folderOf({ file: "" });
  await using server = await serve(answerBytes(module));
  await using modules = testModules({ folder: join(folder.path, "file/cache") });
  const state = await settled(modules, source(`http://${server.host}/x`));
  expect(state).toEqual(failed("CACHE", "(ENOTDIR); check the folder of --module-cache"));
  expect(JSON.stringify(state)).not.toContain(folder.path);
});

describe("the bound", () => {
  const large = (name: string): Buffer => wasm({ variant: name, padding: 300 * 1024 });
  const inFolder = (folder: string): string[] => readdirSync(join(folder, "modules"));

  test("is kept by removing what was used least recently, but nothing that is followed", async () => {
    await using server = await serve(
      (request, response) => void response.end(large(request.url ?? "")),
    );
    await using modules = testModules({
      cacheBytes: 4 * 1024 * 1024,
      maxModuleBytes: 2 * 1024 * 1024,
    });
    const kept = following(modules, source(`http://${server.host}/kept`));
    await kept.until(({ kind }) => kind === "ready");
    // The oldest of all.
    utimesSync(fileOf(modules.folder, large("/kept")), 1, 1);
    for (let number = 0; number < 20; number++) {
      const one = following(modules, source(`http://${server.host}/${number}`));
      await one.until(({ kind }) => kind === "ready");
      one.stop();
      await following(modules, source(`http://localhost:1/`)).until(
        ({ kind }) => kind === "failed",
      );
    }
    const size = inFolder(modules.folder).reduce(
      (sum, name) => sum + statSync(join(modules.folder, "modules", name)).size,
      0,
    );
    expect(size).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect(inFolder(modules.folder)).toContain(`${hexOf(large("/kept"))}.wasm`);
    expect(inFolder(modules.folder)).toContain(`${hexOf(large("/19"))}.wasm`);
    expect(inFolder(modules.folder)).not.toContain(`${hexOf(large("/0"))}.wasm`);
    expect(Buffer.from(await modules.bytes(hexOf(large("/kept"))))).toEqual(large("/kept"));
  });

  test("lets an organization use half of it, and not keep the others out", async () => {
    await using server = await serve(
      (request, response) => void response.end(large(request.url ?? "")),
    );
    await using modules = testModules({ cacheBytes: 2 * 1024 * 1024, maxModuleBytes: 1024 * 1024 });
    const states = [];
    for (let number = 0; number < 5; number++) {
      states.push(await settled(modules, source(`http://${server.host}/${number}`)));
    }
    expect(states.map(({ kind }) => kind)).toEqual(["ready", "ready", "ready", "failed", "failed"]);
    expect(states[4]).toEqual(failed("CACHE", "organization acme would take more than half"));
    expect(
      await settled(modules, source(`http://${server.host}/9`, { organization: "other" })),
    ).toEqual(ready(large("/9")));
  });

  test("counts small modules for what they take", async () => {
    await using server = await serve(
      (request, response) => void response.end(wasm({ variant: request.url ?? "" })),
    );
    await using modules = testModules({ cacheBytes: 1024 * 1024, maxModuleBytes: 1024 });
    const all = Array.from({ length: 12 }, (_, number) =>
      settled(modules, source(`http://${server.host}/${number}`)),
    );
    const kinds = (await Promise.all(all)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "ready")).toHaveLength(8);
  });

  test("does not keep drafts of servers that were killed", async () => {
    using folder = folderOf({ "drafts/old": "x", "drafts/new": "x" });
    utimesSync(join(folder.path, "drafts/old"), 1, 1);
    await using server = await serve(answerBytes(module));
    await using modules = testModules({ folder: folder.path });
    await settled(modules, source(`http://${server.host}/x`));
    expect(readdirSync(join(folder.path, "drafts"))).toEqual(["new"]);
  });
});

describe("two servers with one folder", () => {
  test("share what they have, and what one removes the other one still has", async () => {
    using folder = folderOf({});
    await using server = await serve(
      (request, response) => void response.end(wasm({ variant: request.url ?? "" })),
    );
    const options = { folder: folder.path, cacheBytes: 1024 * 1024, maxModuleBytes: 1024 };
    await using one = testModules(options);
    await using other = testModules(options);
    const first = wasm({ variant: "/0" });
    await settled(one, source(`http://${server.host}/0`));
    expect(await settled(other, source(`http://${server.host}/0`))).toEqual(ready(first));
    expect(server.asked).toHaveLength(1);
    utimesSync(fileOf(folder.path, first), 1, 1);
    await using third = testModules({ ...options, timing: { lingerMs: 0 } });
    for (let number = 1; number < 20; number++) {
      await settled(
        third,
        source(`http://${server.host}/${number}`, { organization: `o${number}` }),
      );
    }
    expect(existsSync(fileOf(folder.path, first))).toBe(false);
    expect(Buffer.from(await one.bytes(hexOf(first)))).toEqual(first);
    expect(Buffer.from(await other.bytes(hexOf(first)))).toEqual(first);
  });

  test("may fetch the same at the same time", async () => {
    using folder = folderOf({});
    await using server = await serve(answerBytes(module));
    const all = Array.from({ length: 4 }, () =>
      createModules({ folder: folder.path, allowedNetworks: ["127.0.0.1"] }),
    );
    const states = await Promise.all(
      all.map((modules) => settled(modules, source(`http://${server.host}/x`))),
    );
    expect(states).toEqual(Array(4).fill(ready(module)));
    expect(readdirSync(join(folder.path, "drafts"))).toEqual([]);
    await Promise.all(all.map((modules) => modules.close()));
  });
});

describe("organizations", () => {
  test("do not get from the cache what another one has fetched with its secret", async () => {
    await using registry = await serveRegistry();
    registry.artifact(module);
    registry.before = ({ headers }, response) => {
      if (headers.authorization !== undefined) {
        return false;
      }
      return Boolean(response.writeHead(401, { "www-authenticate": "Basic" }).end());
    };
    const config = JSON.stringify({
      auths: { [registry.host]: { username: "me", password: "pw" } },
    });
    using secrets = folderOf({ "acme/s/config.json": config });
    await using modules = testModules({ pullSecrets: secrets.path });
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url, { pullSecret: "s" }))).toEqual(ready(module));
    for (const [organization, pullSecret, reason] of [
      ["other", "s", "SECRET"],
      ["other", "", "UNAUTHORIZED"],
      ["acme", "", "UNAUTHORIZED"],
    ] as const) {
      expect(await settled(modules, source(url, { organization, pullSecret }))).toEqual(
        failed(reason, "after a login"),
      );
    }
  });

  test("do not get by a digest what is in the cache: a registry of theirs has to have it", async () => {
    await using registry = await serveRegistry();
    await using hostile = await serveRegistry();
    await using modules = testModules();
    registry.artifact(module);
    await settled(modules, source(`oci://${registry.host}/acme/auth:1.0`));
    hostile.artifact(module);
    hostile.content.delete(`blobs/${digestOf(module)}`);
    const url = `oci://${hostile.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url, { organization: "other" }))).toEqual(
      failed("NOT_FOUND", "has no"),
    );
  });

  test("have names that tell nothing in the folder", async () => {
    await using server = await serve(answerBytes(module));
    await using modules = testModules();
    await settled(modules, source(`http://me:secret@${server.host}/private.wasm`));
    const [name = ""] = readdirSync(join(modules.folder, "sources"));
    expect(name).toMatch(/^[0-9a-f]{64}\.json$/);
    expect(readFileSync(join(modules.folder, "sources", name), "utf8")).not.toMatch(
      /secret|private|acme/,
    );
  });
});

test("what is no module in the folder does no harm", async () => {
  const others = Array.from({ length: 9 }, (_, number) => [`modules/${number}`, "x"] as const);
  using folder = folderOf({ ...Object.fromEntries(others), "sources/x": "x" });
  mkdirSync(join(folder.path, "modules/folder"));
  await using server = await serve(answerBytes(module));
  await using modules = testModules({
    folder: folder.path,
    cacheBytes: 200 * 1024,
    maxModuleBytes: 1024,
  });
  expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(ready(module));
});
