/* Logins of registries, and the pull secrets for them. */
import fc from "fast-check";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseChallenges } from "../../src/modules/oci/challenge.ts";
import { credentialsIn } from "../../src/modules/oci/credentials.ts";
import { placeOfImage } from "../../src/modules/oci/place.ts";
import { openPullSecrets } from "../../src/modules/oci/pull-secrets.ts";
import { folderOf } from "../support/cli.ts";
import { registryTls } from "../support/tls.testdata.ts";
import { failed, ready, settled, source, testModules } from "./support/following.ts";
import {
  answerBytes,
  type Registry,
  serve,
  serveRegistry,
  type TestServer,
} from "./support/registry.ts";
import { wasm } from "./support/wasm.ts";

const module = wasm();

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** The file of a secret, for one registry. */
function configFor(host: string, entry: object = { auth: base64("me:s:cret") }): string {
  return JSON.stringify({ auths: { [host]: entry } });
}

/** Makes a registry ask for a login. */
function protect(
  registry: Registry,
  challenge: string,
  isOpen: (authorization: string) => boolean,
): void {
  registry.before = ({ headers: { authorization = "" } }, response) => {
    if (isOpen(authorization)) {
      return false;
    }
    response.writeHead(401, { "www-authenticate": challenge }).end();
    return true;
  };
}

/** Serves tokens, and remembers what it was asked with. */
function serveTokens(token: string, name = "token"): Promise<TestServer> {
  return serve(answerBytes(JSON.stringify({ [name]: token })));
}

describe("bearer", () => {
  test.each(["token", "access_token"])("anonymous, with a %s", async (name) => {
    await using registry = await serveRegistry();
    await using tokens = await serveTokens("t0ken", name);
    await using modules = testModules();
    registry.artifact(module);
    const challenge = `Bearer realm="http://${tokens.host}/token?a=b",service="registry, of ours",scope="repository:acme/auth:pull"`;
    protect(registry, challenge, (authorization) => authorization === "Bearer t0ken");
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
    expect(tokens.asked).toEqual([
      "GET /token?a=b&service=registry%2C+of+ours&scope=repository%3Aacme%2Fauth%3Apull",
    ]);
    expect(tokens.requests[0]?.headers.authorization).toBeUndefined();
  });

  test("with a user and a password, which go to the realm", async () => {
    await using registry = await serveRegistry();
    await using tokens = await serveTokens("t0ken");
    using secrets = folderOf({ "acme/regcred/config.json": configFor(registry.host) });
    await using modules = testModules({ pullSecrets: secrets.path });
    registry.artifact(module);
    protect(
      registry,
      `Bearer realm="http://${tokens.host}/"`,
      (authorization) => authorization === "Bearer t0ken",
    );
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url, { pullSecret: "regcred" }))).toEqual(ready(module));
    expect(tokens.requests[0]?.headers.authorization).toBe(`Basic ${base64("me:s:cret")}`);
    expect(tokens.asked).toEqual(["GET /?scope=repository%3Aacme%2Fauth%3Apull"]);
  });

  test("with an identity token", async () => {
    await using registry = await serveRegistry();
    let form = "";
    await using tokens = await serve((request, response) => {
      request.setEncoding("utf8").on("data", (text: string) => (form += text));
      request.on("end", () => response.end('{"access_token":"t0ken"}'));
    });
    const config = configFor(registry.host, { auth: base64("<token>:"), identitytoken: "1d" });
    using secrets = folderOf({ "acme/regcred/.dockerconfigjson": config });
    await using modules = testModules({ pullSecrets: secrets.path });
    registry.artifact(module);
    protect(
      registry,
      `Bearer realm="http://${tokens.host}/",service="s"`,
      (authorization) => authorization === "Bearer t0ken",
    );
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url, { pullSecret: "regcred" }))).toEqual(ready(module));
    expect(tokens.asked).toEqual(["POST /"]);
    expect(Object.fromEntries(new URLSearchParams(form))).toEqual({
      grant_type: "refresh_token",
      refresh_token: "1d",
      client_id: "wasmext",
      service: "s",
      scope: "repository:acme/auth:pull",
    });
  });

  test("with a registry token, which is sent as it is", async () => {
    await using registry = await serveRegistry();
    const config = configFor(registry.host, { registrytoken: "r3g" });
    using secrets = folderOf({ "acme/regcred/config.json": config });
    await using modules = testModules({ pullSecrets: secrets.path });
    registry.artifact(module);
    protect(
      registry,
      'Bearer realm="http://nowhere.test"',
      (authorization) => authorization === "Bearer r3g",
    );
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url, { pullSecret: "regcred" }))).toEqual(ready(module));
  });

  test.each([
    ["http://169.254.169.254/token", "ADDRESS_REFUSED", "169.254.169.254 is a link-local address"],
    ["http://[fd00:ec2::254]/token", "ADDRESS_REFUSED", "private"],
    ["file:///etc/passwd", "BAD_ANSWER", "not an https url"],
    ["", "BAD_ANSWER", "not an https url"],
  ])("a realm at %j is refused", async (realm, reason, text) => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    protect(registry, `Bearer realm="${realm}"`, () => false);
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(failed(reason, text));
  });

  test("a registry with TLS cannot have credentials sent without it, nor lead to a layer without it", async () => {
    await using registry = await serveRegistry({ tls: registryTls });
    await using plain = await serve(answerBytes('{"token":"t0ken"}'));
    const host = `registry.test:${registry.port}`;
    using secrets = folderOf({ "acme/regcred/config.json": configFor(host) });
    await using modules = testModules({
      pullSecrets: secrets.path,
      ca: registryTls.cert,
      lookup: () => Promise.resolve(["127.0.0.1"]),
    });
    registry.artifact(module);
    const url = `oci://${host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
    protect(registry, `Bearer realm="http://${plain.host}/"`, () => false);
    expect(await settled(modules, source(url, { pullSecret: "regcred" }))).toEqual(
      failed("BAD_ANSWER", "not an https url"),
    );
    registry.before = (_, response) =>
      Boolean(response.writeHead(302, { location: `http://${plain.host}/` }).end());
    expect(await settled(modules, source(url, { organization: "other" }))).toEqual(
      failed("BAD_REDIRECT", "from https to http"),
    );
    expect(plain.asked).toEqual([]);
  });

  test.each([
    [401, "", "UNAUTHORIZED", "only after a login"],
    [500, "", "BAD_ANSWER", "HTTP status 500"],
    [302, "", "BAD_ANSWER", "HTTP status 302"],
    [200, "", "BAD_ANSWER", "gives no token"],
    [200, "{}", "BAD_ANSWER", "gives no token"],
    [200, '{"token":"a\\nb"}', "BAD_ANSWER", "gives no token"],
    [200, '{"token":1}', "BAD_ANSWER", "gives no token"],
    [200, "null", "BAD_ANSWER", "gives no token"],
    [200, `"${"x".repeat(70_000)}"`, "TOO_LARGE", "65536"],
  ])("a realm that answers with %i %.10j gives nothing", async (status, body, reason, text) => {
    await using registry = await serveRegistry();
    await using tokens = await serve(
      (_, response) => void response.writeHead(status, { location: "/x" }).end(body),
    );
    await using modules = testModules();
    protect(registry, `Bearer realm="http://${tokens.host}/"`, () => false);
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(failed(reason, text));
    expect(tokens.asked).toHaveLength(1);
  });
});

describe("basic", () => {
  test("with a user and a password", async () => {
    await using registry = await serveRegistry();
    const config = configFor(registry.host, { username: "me", password: "pw" });
    using secrets = folderOf({ "acme/regcred/config.json": config });
    await using modules = testModules({ pullSecrets: secrets.path });
    registry.artifact(module);
    protect(
      registry,
      'Basic realm="x"',
      (authorization) => authorization === `Basic ${base64("me:pw")}`,
    );
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url, { pullSecret: "regcred" }))).toEqual(ready(module));
  });

  test("credentials are not sent unless they are asked for, nor to where the registry redirects", async () => {
    await using storage = await serve(answerBytes(module));
    await using registry = await serveRegistry();
    using secrets = folderOf({ "acme/regcred/config.json": configFor(registry.host) });
    await using modules = testModules({ pullSecrets: secrets.path });
    registry.artifact(module);
    registry.before = (request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { "www-authenticate": "Basic" }).end();
        return true;
      }
      const isLayer = request.url?.endsWith(registry.blob(module, "x").digest) === true;
      if (isLayer) {
        response.writeHead(307, { location: `http://127.0.0.1:${storage.port}/layer` }).end();
      }
      return isLayer;
    };
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url, { pullSecret: "regcred" }))).toEqual(ready(module));
    expect(registry.requests[0]?.headers.authorization).toBeUndefined();
    expect(registry.requests[1]?.headers.authorization).toBe(`Basic ${base64("me:s:cret")}`);
    expect(storage.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test("a host that is redirected to cannot ask for them", async () => {
    await using thief = await serve(
      (_, response) => void response.writeHead(401, { "www-authenticate": "Basic" }).end(),
    );
    await using registry = await serveRegistry();
    using secrets = folderOf({ "acme/regcred/config.json": configFor(registry.host) });
    await using modules = testModules({ pullSecrets: secrets.path });
    registry.before = (_, response) =>
      Boolean(response.writeHead(302, { location: `http://127.0.0.1:${thief.port}/` }).end());
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url, { pullSecret: "regcred" }))).toEqual(
      failed("UNAUTHORIZED", "refuses the credentials"),
    );
    expect(thief.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
});

describe("a login that fails", () => {
  const cases: [string, Record<string, string>, string, string, string][] = [
    ["no secret named", {}, "", "UNAUTHORIZED", "name a pull secret in image_pull_secret"],
    ["no such secret", {}, "none", "SECRET", "the pull secret acme/none has no credentials for it"],
    [
      "a secret for another host",
      { "acme/s/config.json": configFor("ghcr.io") },
      "s",
      "SECRET",
      "no credentials",
    ],
    [
      "a secret of another organization",
      { "other/s/config.json": configFor("HOST") },
      "s",
      "SECRET",
      "no credentials",
    ],
    [
      "wrong credentials",
      { "acme/s/config.json": configFor("HOST") },
      "s",
      "UNAUTHORIZED",
      "refuses the credentials of the pull secret acme/s",
    ],
    ["no JSON", { "acme/s/config.json": "hunter2" }, "s", "SECRET", "is not JSON"],
    ["no object", { "acme/s/config.json": "[]" }, "s", "SECRET", "format"],
    [
      "no base64 of a pair",
      { "acme/s/config.json": configFor("HOST", { auth: "aGk=" }) },
      "s",
      "SECRET",
      "USER:PASSWORD",
    ],
    [
      "a number for a password",
      { "acme/s/config.json": configFor("HOST", { password: 1 }) },
      "s",
      "SECRET",
      "not a text",
    ],
    [
      "a token with a line end",
      { "acme/s/config.json": configFor("HOST", { registrytoken: "a\r\nb" }) },
      "s",
      "SECRET",
      "cannot be sent",
    ],
    [
      "a name with a path",
      { "acme/config.json": configFor("HOST") },
      "../acme",
      "SECRET",
      "not a valid name",
    ],
  ];

  test.each(cases)("%s", async (_, files, pullSecret, reason, text) => {
    await using registry = await serveRegistry();
    const written = Object.entries(files).map(([name, content]) => [
      name,
      content.replace("HOST", registry.host),
    ]);
    using secrets = folderOf(Object.fromEntries(written) as Record<string, string>);
    await using modules = testModules({ pullSecrets: secrets.path });
    registry.artifact(module);
    protect(registry, 'Basic realm="x"', () => false);
    const url = `oci://${registry.host}/acme/auth:1.0`;
    const state = await settled(modules, source(url, { pullSecret }));
    expect(state).toEqual(failed(reason, text));
    expect(JSON.stringify(state)).not.toMatch(/hunter2|s:cret|czpjcmV0/);
    expect(JSON.stringify(state)).not.toContain(secrets.path);
  });

  test("an unknown kind of login is named", async () => {
    await using registry = await serveRegistry();
    await using modules = testModules();
    protect(registry, "Negotiate", () => false);
    const url = `oci://${registry.host}/acme/auth:1.0`;
    expect(await settled(modules, source(url))).toEqual(failed("UNAUTHORIZED", "unknown kind"));
  });

  test("a secret that is put right is used at the next try", async () => {
    await using registry = await serveRegistry();
    using secrets = folderOf({});
    await using modules = testModules({ pullSecrets: secrets.path });
    registry.artifact(module);
    protect(registry, "Basic", (authorization) => authorization !== "");
    const url = `oci://${registry.host}/acme/auth:1.0`;
    const { following } = await import("./support/following.ts");
    const followed = following(modules, source(url, { pullSecret: "s" }));
    await followed.until(({ kind }) => kind === "failed");
    // Kubernetes mounts secrets as links to links.
    const data = folderOf({ "config.json": configFor(registry.host) });
    mkdirSync(join(secrets.path, "acme"));
    symlinkSync(data.path, join(secrets.path, "acme/s"));
    expect(await followed.until(({ kind }) => kind === "ready")).toEqual(ready(module));
    data[Symbol.dispose]();
  });
});

describe("the key of a registry in a secret", () => {
  const place = { host: "ghcr.io", repository: "acme/auth" };
  const hub = { host: "docker.io", repository: "library/nginx" };

  test.each([
    ["ghcr.io", place],
    ["https://ghcr.io", place],
    ["http://ghcr.io/v2/", place],
    ["GHCR.io", place],
    ["ghcr.io/acme", place],
    ["ghcr.io/acme/auth", place],
    ["https://index.docker.io/v1/", hub],
    ["docker.io", hub],
    ["registry-1.docker.io", hub],
    ["r.test:5000", { host: "r.test:5000", repository: "x" }],
  ])("%s is for %j", (key, { host, repository }) => {
    const found = credentialsIn(configFor(key), { host, repository });
    expect(found).toMatchObject({ username: "me", password: "s:cret" });
  });

  test.each([
    ["ghcr.io.evil.test", place],
    ["evil.test/ghcr.io", place],
    ["evil-ghcr.io", place],
    ["ghcr.io:443", place],
    ["ghcr.io/acm", place],
    ["ghcr.io/acme/auth/x", place],
    ["r.test", { host: "r.test:5000", repository: "x" }],
    ["", place],
    ["__proto__", place],
  ])("%j is not for %j", (key, { host, repository }) => {
    expect(credentialsIn(configFor(key), { host, repository })).toBeUndefined();
  });

  test("with the longest path goes first", () => {
    const auths = {
      "ghcr.io/acme/auth": { auth: base64("c:c") },
      "ghcr.io": { auth: base64("a:a") },
      "ghcr.io/acme": { auth: base64("b:b") },
    };
    expect(credentialsIn(JSON.stringify({ auths }), place)?.username).toBe("c");
    const other = { host: "ghcr.io", repository: "other" };
    expect(credentialsIn(JSON.stringify({ auths }), other)?.username).toBe("a");
  });

  test("without credentials, or in a file with helpers alone, is none", () => {
    expect(credentialsIn(configFor("ghcr.io", {}), place)).toBeUndefined();
    expect(credentialsIn('{"credsStore":"desktop"}', place)).toBeUndefined();
    expect(credentialsIn('{"auths":null}', place)).toBeUndefined();
    expect(credentialsIn('{"auths":{"ghcr.io":null}}', place)).toBeUndefined();
  });

  test("is found behind a byte order mark", () => {
    expect(credentialsIn(`\uFEFF${configFor("ghcr.io")}`, place)?.username).toBe("me");
  });
});

test("no organization and no secret leads out of the folder", async () => {
  using outside = folderOf({
    "config.json": "{}",
    "x/config.json": "{}",
    "in/o/s/config.json": "{}",
  });
  const secrets = openPullSecrets(join(outside.path, "in"));
  expect(await secrets.read("o", "s")).toBe("{}");
  const part = fc.oneof(
    fc.constantFrom("..", ".", "", "o", "s", "../x", "..\0", "o/..", "o/s", "\\..", "%2e%2e"),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(part, part, async (organization, name) => {
      const found = await secrets.read(organization, name).catch(() => undefined);
      expect(found === undefined || (organization === "o" && name === "s")).toBe(true);
    }),
  );
});

test.each([
  ["nginx", "https://registry-1.docker.io/", "library/nginx", "latest"],
  ["docker.io/nginx:1", "https://registry-1.docker.io/", "library/nginx", "1"],
  ["acme/auth", "https://registry-1.docker.io/", "acme/auth", "latest"],
  ["ghcr.io/acme/auth:1.0", "https://ghcr.io/", "acme/auth", "1.0"],
  ["ghcr.io:8443/a:1", "https://ghcr.io:8443/", "a", "1"],
  ["localhost/a:1", "http://localhost/", "a", "1"],
  ["127.0.0.9:5000/a", "http://127.0.0.9:5000/", "a", "latest"],
  ["[::1]:5000/a", "http://[::1]:5000/", "a", "latest"],
  ["10.0.0.1:5000/a", "https://10.0.0.1:5000/", "a", "latest"],
  ["localhost.evil.test/a", "https://localhost.evil.test/", "a", "latest"],
])("%s is at %s", (image, registry, repository, reference) => {
  const place = placeOfImage(`oci://${image}`);
  expect({ ...place, registry: place.registry.href }).toMatchObject({
    registry,
    repository,
    reference,
  });
});

describe("WWW-Authenticate", () => {
  test.each([
    [
      'Bearer realm="https://a/b",service="c, d"',
      [["bearer", { realm: "https://a/b", service: "c, d" }]],
    ],
    ["Basic", [["basic", {}]]],
    [
      'Basic realm="a", Bearer realm=b , scope="x\\"y"',
      [
        ["basic", { realm: "a" }],
        ["bearer", { realm: "b", scope: 'x"y' }],
      ],
    ],
    [
      "Negotiate, Basic",
      [
        ["negotiate", {}],
        ["basic", {}],
      ],
    ],
    ['BEARER  REALM = "x"', [["bearer", { realm: "x" }]]],
    ["", []],
    ['"', []],
  ])("%s", (header, expected) => {
    const found = parseChallenges(header).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ]);
    expect(found).toEqual(expected);
  });

  test("of any text is understood or ended, in little time", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", "=", '"', "\\", ",", " ", "B") }),
        (text) => {
          parseChallenges(text);
        },
      ),
    );
    const begunAt = performance.now();
    for (const part of ["a ", 'a="', "a=b,", '\\"', "a, ", '="']) {
      parseChallenges(part.repeat(8_000));
    }
    expect(performance.now() - begunAt).toBeLessThan(1_000);
  });
});
