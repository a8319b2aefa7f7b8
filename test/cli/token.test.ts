import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import { folderOf, runCli } from "../support/cli.ts";

const acme = "organizations/acme";

function token(dir: string, ...more: string[]) {
  return runCli(["token", "--dir", dir, "--name", "alice", ...more]);
}

function keySetIn(dir: string): JSONWebKeySet {
  return JSON.parse(readFileSync(`${dir}/jwks.json`, "utf8")) as JSONWebKeySet;
}

async function verified(dir: string, text: string) {
  const options = { issuer: "wasmext-tryout", audience: "wasmext" };
  const keys = createLocalJWKSet(keySetIn(dir));
  return (await jwtVerify(text.trim(), keys, options)).payload;
}

describe("wasmext token", () => {
  test("prints the token alone, and says on standard error that it is for trying out", async () => {
    using folder = folderOf({});
    const dir = `${folder.path}/new/folder`;
    const { exitCode, stdout, stderr } = await token(dir);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(stderr).toMatch(/^For trying out, not for production: .*\n$/);
    expect(stderr).toContain(`--auth jwt --jwks ${dir}/jwks.json --issuer wasmext-tryout`);
    expect(decodeProtectedHeader(stdout.trim())).toMatchObject({ alg: "ES256" });
  });

  test("makes a token that the key set of the folder verifies, with the grants and an end", async () => {
    using folder = folderOf({});
    const { stdout } = await token(
      folder.path,
      ...["--grant", `${acme}=READ,CREATE`, "--grant", `${acme}/tenants/red=WRITE`],
      ...["--group", "team-red", "--group", "ops", "--expires-in", "30m"],
    );
    const payload = await verified(folder.path, stdout);
    expect(payload).toMatchObject({
      sub: "alice",
      groups: ["team-red", "ops"],
      "wasmext.grants": [
        { resource: acme, permissions: ["READ", "CREATE"] },
        { resource: `${acme}/tenants/red`, permissions: ["WRITE"] },
      ],
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(30 * 60);
  });

  test("has a life of an hour unless it is told otherwise", async () => {
    using folder = folderOf({});
    const { exp = 0, iat = 0 } = await verified(folder.path, (await token(folder.path)).stdout);
    expect(exp - iat).toBe(3_600);
  });

  test("keeps the key, which its owner alone can read, and publishes no private part of it", async () => {
    using folder = folderOf({});
    const first = await token(folder.path);
    const { mode } = statSync(`${folder.path}/key.jwk`);
    const key = readFileSync(`${folder.path}/key.jwk`, "utf8");
    const second = await token(folder.path);
    expect(mode & 0o777).toBe(0o600);
    expect(readFileSync(`${folder.path}/key.jwk`, "utf8")).toBe(key);
    await verified(folder.path, first.stdout);
    await verified(folder.path, second.stdout);
    const { d } = JSON.parse(key) as { d: string };
    expect(readFileSync(`${folder.path}/jwks.json`, "utf8")).not.toContain(d);
    expect(readdirSync(folder.path).toSorted()).toEqual(["jwks.json", "key.jwk"]);
  });

  test("agrees on one key when several are made at once", async () => {
    using folder = folderOf({});
    const made = await Promise.all(Array.from({ length: 8 }, () => token(folder.path)));
    for (const { stdout } of made) {
      await verified(folder.path, stdout);
    }
  });

  test("leaves a file alone that is not its key, and does not quote it", async () => {
    using folder = folderOf({ "key.jwk": "secret" });
    const { exitCode, stdout, stderr } = await token(folder.path);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toBe(
      `error: ${folder.path}/key.jwk is not a private key of P-256 as JSON; name another folder\n`,
    );
    expect(readFileSync(`${folder.path}/key.jwk`, "utf8")).toBe("secret");
  });

  test("says that a folder cannot be used", async () => {
    using folder = folderOf({ file: "" });
    const { exitCode, stderr } = await token(`${folder.path}/file`);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: the folder of --dir cannot be used: .*\n$/);
  });

  test.each([
    [["--grant", acme], "RESOURCE=PERMISSIONS"],
    [["--grant", `${acme}=READ,`], "RESOURCE=PERMISSIONS"],
    [["--grant", `${acme}=ADMIN`], "RESOURCE=PERMISSIONS"],
    [["--grant", "acme=READ"], "RESOURCE=PERMISSIONS"],
    [["--expires-in", "1w"], "30m"],
    [["--expires-in", "0s"], "30m"],
    [["--expires-in", "31d"], "30d"],
    [["--name", ""], "1 to 256"],
  ])("%j is a usage error", async (parameters, remedy) => {
    using folder = folderOf({});
    const { exitCode, stdout, stderr } = await token(folder.path, ...parameters);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(remedy);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("makes the key set again when it is missing or old", async () => {
    using folder = folderOf({});
    await token(folder.path);
    const before = keySetIn(folder.path);
    writeFileSync(`${folder.path}/jwks.json`, "{}");
    await token(folder.path);
    expect(keySetIn(folder.path)).toEqual(before);
  });
});
