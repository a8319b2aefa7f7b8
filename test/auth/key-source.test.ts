import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLiveRules } from "../../src/auth/grant-rules.ts";
import { createJwtAuthenticator } from "../../src/auth/jwt.ts";
import { type KeySource, openKeySource } from "../../src/auth/key-source.ts";
import { folderOf } from "../support/cli.ts";
import { audience, issuer, keySetOf, makeKey, serveKeySet, sign } from "../support/issuer.ts";
import { until } from "../support/stream.ts";

const [one, two] = [await makeKey("one"), await makeKey("two")];

function notices() {
  const lines: string[] = [];
  const add = (text: string): void => void lines.push(text);
  return { lines, info: add, warn: add };
}

/** Tells whether a source has a key. */
async function has(source: KeySource, kid: string): Promise<boolean> {
  const header = { alg: "ES256", kid };
  try {
    return Boolean(await source.keys.find(header, { ...header, payload: "", signature: "" }));
  } catch {
    return false;
  }
}

test("a url is fetched once, and again for an unknown key, once in a cooldown", async () => {
  await using server = await serveKeySet(keySetOf(one));
  let now = 0;
  const source = await openKeySource(server.url, notices(), { cooldownMs: 1_000, now: () => now });
  const before = source.keys;
  server.answer = keySetOf(two);
  await Promise.all(Array.from({ length: 100 }, () => source.refresh()));
  expect(server.asked).toBe(1);
  expect(source.keys).toBe(before);
  now = 1_000;
  await Promise.all(Array.from({ length: 100 }, () => source.refresh()));
  expect(server.asked).toBe(2);
  expect([await has(source, "one"), await has(source, "two")]).toEqual([false, true]);
  source.close();
});

test("rotated keys verify the next token, and 10,000 tokens with unknown keys fetch once", async () => {
  await using server = await serveKeySet(keySetOf(one));
  let now = 0;
  const keySource = await openKeySource(server.url, notices(), { now: () => now });
  const authenticate = createJwtAuthenticator({
    ...{ keySource, issuer, audiences: [audience], clockSkewMs: 0, rules: createLiveRules() },
  });
  const call = async (token: string) =>
    authenticate({ header: (name) => (name === "x-tetrate-token" ? token : undefined) });
  expect((await call(await sign(one))).name).toBe("alice");
  server.answer = keySetOf(two);
  now = 10_000;
  expect((await call(await sign(two))).name).toBe("alice");
  await expect(call(await sign(one))).rejects.toThrow("not signed with a key");
  expect(server.asked).toBe(2);
  const [, claims = ""] = (await sign(one)).split(".");
  now = 20_000;
  const calls = Array.from({ length: 10_000 }, async (_, index) => {
    const header = Buffer.from(JSON.stringify({ alg: "ES256", kid: `k${index}` }));
    await expect(call(`${header.toString("base64url")}.${claims}.AAAA`)).rejects.toThrow();
  });
  await Promise.all(calls);
  expect(server.asked).toBe(3);
  keySource.close();
});

test("a url is fetched from time to time, and keys that are the same stay the same", async () => {
  await using server = await serveKeySet(keySetOf(one));
  const source = await openKeySource(server.url, notices(), { refetchMs: 2 });
  const before = source.keys;
  await until(() => server.asked > 3, "several fetches");
  expect(source.keys).toBe(before);
  server.answer = keySetOf(one, two);
  await until(() => source.keys !== before, "the new keys");
  source.close();
});

test.each<[string, string | number]>([
  ["an error", 500],
  ["a redirect", 302],
  ["no JSON", "<html>"],
  ["no key set", "{}"],
  ["no key", '{"keys": []}'],
  ["too much", `{"keys": [], "x": "${"x".repeat(1024 * 1024)}"}`],
])("a url that answers with %s later leaves the keys as they are", async (_what, answer) => {
  await using server = await serveKeySet(keySetOf(one));
  const said = notices();
  const source = await openKeySource(server.url, said, { cooldownMs: 0 });
  server.answer = answer;
  await source.refresh();
  expect(await has(source, "one")).toBe(true);
  expect(said.lines).toEqual([expect.stringContaining("the keys from before stay in use")]);
  server.answer = keySetOf(two);
  await source.refresh();
  expect(await has(source, "two")).toBe(true);
  source.close();
  // And at the start it is one clear line.
  server.answer = answer;
  await expect(openKeySource(server.url, said)).rejects.toThrow(
    /^the keys at http:[^\n]* cannot be used: [^\n]+$/,
  );
});

test("a url that does not answer in time is an error", async () => {
  await using server = await serveKeySet(keySetOf(one));
  const opening = openKeySource(server.url, notices(), { timeoutMs: 0 });
  await expect(opening).rejects.toThrow("timeout");
});

test("a file is followed: written, replaced, removed, and swapped by a link above it", async () => {
  using folder = folderOf({ "v1/keys.json": keySetOf(one), "v2/keys.json": keySetOf(two) });
  symlinkSync("v1", join(folder.path, "..data"));
  symlinkSync("..data/keys.json", join(folder.path, "keys.json"));
  const said = notices();
  const source = await openKeySource(join(folder.path, "keys.json"), said, { intervalMs: 2 });
  expect(await has(source, "one")).toBe(true);
  // As Kubernetes does it.
  symlinkSync("v2", join(folder.path, "..data_tmp"));
  renameSync(join(folder.path, "..data_tmp"), join(folder.path, "..data"));
  let keys = source.keys;
  await until(() => source.keys !== keys, "the keys of v2");
  expect(await has(source, "two")).toBe(true);
  keys = source.keys;
  writeFileSync(join(folder.path, "v2/keys.json"), "{");
  await until(() => said.lines.some((line) => line.includes("not JSON")), "a warning");
  rmSync(join(folder.path, "keys.json"));
  await until(() => said.lines.some((line) => line.includes("ENOENT")), "a warning");
  expect(source.keys).toBe(keys);
  writeFileSync(join(folder.path, "keys.json"), keySetOf(one, two));
  await until(() => source.keys !== keys, "both keys");
  source.close();
});

test.each([
  ["a private key", { ...two.publicJwk, d: "x" }, "private"],
  ["a secret", { kty: "oct", k: "c2VjcmV0", alg: "HS256" }, "algorithm"],
  ["a key for encryption", { ...one.publicJwk, use: "enc" }, "not for signatures"],
  ["a malformed key", { ...one.publicJwk, x: "AA" }, "malformed"],
  [
    "a key of a curve that is not known",
    { ...one.publicJwk, crv: "P-999", alg: undefined },
    "algorithm",
  ],
  ["what is no object", 7, "not an object"],
])("a key set of %s alone cannot be used", async (_what, key, problem) => {
  using folder = folderOf({ "keys.json": JSON.stringify({ keys: [key] }) });
  const opening = openKeySource(join(folder.path, "keys.json"), notices());
  await expect(opening).rejects.toThrow(problem);
});

test("a short RSA key is left out, and said to be", async () => {
  const short = {
    kty: "RSA",
    e: "AQAB",
    n: Buffer.alloc(128, 0xab).toString("base64url"),
    kid: "s",
  };
  using folder = folderOf({ "keys.json": JSON.stringify({ keys: [short, one.publicJwk] }) });
  const said = notices();
  const source = await openKeySource(join(folder.path, "keys.json"), said);
  expect(await has(source, "one")).toBe(true);
  expect(said.lines).toEqual([expect.stringContaining("2048 bits")]);
  source.close();
});

test("a folder, and a file that is missing, cannot be used", async () => {
  using folder = folderOf({});
  mkdirSync(join(folder.path, "keys"));
  for (const name of ["keys", "missing"]) {
    const opening = openKeySource(join(folder.path, name), notices());
    await expect(opening).rejects.toThrow(/^the keys at \S+ cannot be used: E/);
  }
});
