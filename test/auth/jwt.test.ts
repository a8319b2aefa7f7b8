import { createHmac, createPublicKey } from "node:crypto";
import fc from "fast-check";
import { exportSPKI, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { may, type Principal } from "../../src/catalog/access/principal.ts";
import { CatalogError } from "../../src/catalog/errors.ts";
import type { Authenticate, Credentials } from "../../src/auth/authenticate.ts";
import { createLiveRules, indexRules } from "../../src/auth/grant-rules.ts";
import { createJwtAuthenticator, type JwtOptions } from "../../src/auth/jwt.ts";
import { parseKeySet } from "../../src/auth/key-set.ts";
import type { KeySource } from "../../src/auth/key-source.ts";
import { audience, issuer, type IssuerKey, keySetOf, makeKey, sign } from "../support/issuer.ts";

const acme = "organizations/acme";
const red = `${acme}/tenants/red`;

let key: IssuerKey;
let authenticate: Authenticate;
beforeAll(async () => {
  key = await makeKey("one");
  authenticate = await authenticatorOf({ keys: [key] });
});

/** A source of keys that a test can replace, which counts how often newer ones are asked for. */
async function sourceOf(...keys: IssuerKey[]) {
  const source = {
    keys: await parseKeySet(keySetOf(...keys)),
    refreshes: 0,
    refresh() {
      source.refreshes++;
      return Promise.resolve();
    },
    close: () => undefined,
    async replace(...others: IssuerKey[]) {
      source.keys = await parseKeySet(keySetOf(...others));
    },
  } satisfies KeySource & Record<string, unknown>;
  return source;
}

async function authenticatorOf({
  keys,
  ...options
}: Partial<JwtOptions> & { keys: IssuerKey[] }): Promise<Authenticate> {
  return createJwtAuthenticator({
    keySource: await sourceOf(...keys),
    issuer,
    audiences: [audience],
    clockSkewMs: 30_000,
    rules: createLiveRules(),
    ...options,
  });
}

function bearing(token: string, more: Record<string, string> = {}): Credentials {
  const headers: Record<string, string> = { authorization: `Bearer ${token}`, ...more };
  return { header: (name) => headers[name] };
}

async function call(token: string, how = authenticate): Promise<Principal> {
  return how(bearing(token));
}

/** The reason and the message that credentials are refused with. */
async function refusal(credentials: Credentials | string, how = authenticate) {
  try {
    await how(typeof credentials === "string" ? bearing(credentials) : credentials);
  } catch (error) {
    expect(error).toBeInstanceOf(CatalogError);
    const { kind, reason, message } = (error as CatalogError).refusal;
    expect(kind).toBe("unauthenticated");
    return { reason, message };
  }
  throw new Error("expected the credentials to be refused");
}

describe("a token that is good", () => {
  test("says who calls, with which grants, and until when", async () => {
    const exp = Math.floor(Date.now() / 1000) + 60;
    const grants = [{ resource: red, permissions: ["WRITE", "READ"] }];
    const principal = await call(await sign(key, { exp, "wasmext.grants": grants }));
    expect(principal.name).toBe("alice");
    expect(principal.grants).toEqual([{ resource: red, permissions: ["READ", "WRITE"] }]);
    expect(principal.expiresAt).toBe(exp * 1000 + 30_000);
  });

  test("may expire at a fraction of a second, and after all dates", async () => {
    const expiryOf = async (exp: number) => (await call(await sign(key, { exp }))).expiresAt;
    expect(await expiryOf(4_000_000_000.1234567)).toBe(4_000_000_000_123 + 30_000);
    for (const exp of [253_402_300_799, 253_402_300_800, 1e15, 1e300]) {
      expect(await expiryOf(exp)).toBe(Infinity);
    }
  });

  test("may nest its grants, and needs none", async () => {
    const grants = [{ resource: acme, permissions: ["READ"] }];
    expect((await call(await sign(key, { wasmext: { grants } }))).grants).toEqual(grants);
    for (const claims of [{}, { wasmext: {} }, { wasmext: "x" }, { "wasmext.grants": null }]) {
      expect((await call(await sign(key, claims))).grants).toEqual([]);
    }
  });

  test.each(["RS256", "RS512", "PS384", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"])(
    "may be signed with %s",
    async (algorithm) => {
      const other = await makeKey("other", algorithm);
      const how = await authenticatorOf({ keys: [key, other] });
      expect((await call(await sign(other), how)).name).toBe("alice");
    },
  );

  test("may come in x-tetrate-token, or in both headers", async () => {
    const token = await sign(key);
    const own = { header: (name: string) => (name === "x-tetrate-token" ? token : undefined) };
    expect((await authenticate(own)).name).toBe("alice");
    expect((await authenticate(bearing(token, { "x-tetrate-token": token }))).name).toBe("alice");
  });

  test("may have any case in Bearer, one of several audiences, and a type for access", async () => {
    const token = await sign(key, { aud: ["account", audience] }, { typ: "at+JWT" });
    const authorization = `bearer ${token}`;
    const principal = await authenticate(bearing(token, { authorization }));
    expect(principal.name).toBe("alice");
  });

  test("is good until its time and the clock skew are over", async () => {
    let now = Date.now();
    const how = await authenticatorOf({ keys: [key], now: () => now });
    const exp = Math.floor(now / 1000) + 10;
    const token = await sign(key, { exp });
    for (const known of [false, true]) {
      now = exp * 1000 + 29_000;
      expect((await call(token, how)).name, `known: ${known}`).toBe("alice");
    }
    now = exp * 1000 + 30_000;
    for (const known of [true, false]) {
      const { reason } = await refusal(token, how);
      expect(reason, `known: ${known}`).toBe("CREDENTIALS_EXPIRED");
    }
  });

  test("is good from its beginning on, less the clock skew", async () => {
    const now = Math.floor(Date.now() / 1000);
    expect((await call(await sign(key, { nbf: now + 20 }))).name).toBe("alice");
    const early = await refusal(await sign(key, { nbf: now + 300 }));
    expect(early).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(early.message).toContain("not valid yet");
  });
});

describe("credentials that prove nothing", () => {
  test("are refused without a token", async () => {
    const { reason, message } = await refusal({ header: () => undefined });
    expect(reason).toBe("CREDENTIALS_MISSING");
    expect(message).toContain("authorization: Bearer TOKEN");
  });

  test("are refused if the two headers differ", async () => {
    const [one, other] = [await sign(key), await sign(key, { sub: "bob" })];
    const { reason } = await refusal(bearing(one, { "x-tetrate-token": other }));
    expect(reason).toBe("TOKENS_DIFFER");
  });

  test.each([
    ["expired", { exp: 1_700_000_000 }, "expired"],
    ["without exp", { exp: undefined }, '"exp"'],
    ["with an exp that is a text", { exp: "soon" }, '"exp"'],
    ["without sub", { sub: undefined }, '"sub"'],
    ["with an empty sub", { sub: "" }, "sub"],
    ["with an endless sub", { sub: "x".repeat(257) }, "sub"],
    ["with a sub that is no text", { sub: 7 }, "sub"],
    ["of another issuer", { iss: "https://evil.example" }, "issuer"],
    ["without an issuer", { iss: undefined }, '"iss"'],
    ["for another audience", { aud: "other" }, "audience"],
    ["without an audience", { aud: undefined }, '"aud"'],
    ["with grants that are no list", { "wasmext.grants": "all" }, "wasmext.grants"],
    ["with a grant of nothing", { "wasmext.grants": [{}] }, "wasmext.grants[0].resource"],
    [
      "with a grant on no fqn",
      { "wasmext.grants": [{ resource: "organizations/ACME", permissions: ["READ"] }] },
      "organizations/ACME",
    ],
    [
      "with a grant of another permission",
      { "wasmext.grants": [{ resource: acme, permissions: ["READ", "ADMIN"] }] },
      "permissions[1]",
    ],
    [
      "with a grant under a condition",
      { "wasmext.grants": [{ resource: acme, permissions: ["READ"], if: "x" }] },
      '"if"',
    ],
    [
      "with too many grants",
      { "wasmext.grants": Array(257).fill({ resource: acme, permissions: ["READ"] }) },
      "longer than 16 KiB",
    ],
  ])("a token %s", async (_what, claims, problem) => {
    const { reason, message } = await refusal(await sign(key, claims));
    expect(reason).toMatch(/^(?:TOKEN_INVALID|CREDENTIALS_EXPIRED)$/);
    expect(message).toContain(problem);
  });

  test("a token of another kind, such as a logout token", async () => {
    const { message } = await refusal(await sign(key, {}, { typ: "logout+jwt" }));
    expect(message).toContain("access token");
  });

  test("a stranger's key under the kid of ours", async () => {
    const stranger = await makeKey("one");
    expect((await refusal(await sign(stranger))).message).toContain("signature");
  });

  test.each([
    "stranger",
    "../../../../dev/null",
    "/etc/passwd",
    "http://evil.example/keys",
    "__proto__",
    "' OR 1=1 --",
    "x".repeat(4_000),
  ])("the kid %s", async (kid) => {
    const stranger = await makeKey(kid);
    const { reason, message } = await refusal(await sign(stranger));
    expect(reason).toBe("TOKEN_INVALID");
    expect(message).not.toContain(kid);
  });

  test("a key that the token brings along, or tells where to find", async () => {
    const stranger = await makeKey("one");
    for (const header of [
      { jwk: stranger.publicJwk },
      { jku: "http://127.0.0.1:1/keys" },
      { x5u: "http://127.0.0.1:1/cert" },
    ]) {
      expect((await refusal(await sign(stranger, {}, header))).reason).toBe("TOKEN_INVALID");
    }
  });

  test.each(["none", "None", "nOnE", ""])("the algorithm %j", async (alg) => {
    const claims = (await sign(key)).split(".")[1] ?? "";
    const token = `${encoded({ alg, kid: "one" })}.${claims}.`;
    expect((await refusal(token)).reason).toBe("TOKEN_INVALID");
  });

  test.each(["HS256", "HS384", "HS512"])("%s with a public key for its secret", async (alg) => {
    const { publicKey } = await generateKeyPair("RS256", { extractable: true });
    const rsa = await makeKey("rsa", "RS256");
    const how = await authenticatorOf({ keys: [rsa] });
    const pem = createPublicKey({ key: rsa.publicJwk, format: "jwk" });
    for (const secret of [
      pem.export({ type: "spki", format: "pem" }).toString(),
      JSON.stringify(rsa.publicJwk),
      await exportSPKI(publicKey),
    ]) {
      const claims = (await sign(rsa)).split(".")[1] ?? "";
      const signed = `${encoded({ alg, kid: "rsa" })}.${claims}`;
      const mac = createHmac(alg.replace("HS", "sha"), secret).update(signed).digest("base64url");
      expect((await refusal(`${signed}.${mac}`, how)).message).toContain("algorithm");
    }
  });

  test("an algorithm that is not the key's", async () => {
    const rsa = await makeKey("rsa", "RS256");
    const how = await authenticatorOf({ keys: [rsa] });
    const token = await new SignJWT({ iss: issuer, aud: audience, sub: "x", exp: 9e9 })
      .setProtectedHeader({ alg: "ES256", kid: "rsa" })
      .sign(key.privateKey);
    expect((await refusal(token, how)).reason).toBe("TOKEN_INVALID");
  });

  test.each([
    ["", "nothing"],
    ["a.b c.d", "a space"],
    ["x", "a letter"],
    ["..", "dots"],
    ["a.b.c", "no JSON"],
    ["a.b.c.d.e", "an encrypted token"],
    [`${encoded([])}.${encoded({})}.AAAA`, "a list for its header"],
    [`${encoded(null)}.${encoded({})}.AAAA`, "null for its header"],
    [`${"[".repeat(8_000)}.x.y`, "brackets"],
    ["\u00ff\u0000", "bytes"],
    [`${encoded({ alg: "ES256", kid: "one", crit: ["x"], x: 1 })}.${encoded({})}.AAAA`, "crit"],
    [`${encoded({ alg: "ES256", kid: {} })}.${encoded({})}.AAAA`, "an object for its kid"],
  ])("a token of %j: %s", async (token) => {
    const { reason, message } = await refusal(token);
    expect(reason).toBe("TOKEN_INVALID");
    expect(message.length).toBeLessThan(300);
  });

  test("a good token with what decoders skip in it", async () => {
    const good = await sign(key);
    const middle = good.length - 20;
    for (const skipped of [" ", "\t", "=", "\n"]) {
      const token = `${good.slice(0, middle)}${skipped}${good.slice(middle)}`;
      expect((await refusal(token)).reason, JSON.stringify(skipped)).toBe("TOKEN_INVALID");
    }
  });

  test.each(["Basic YTpi", "Bearer", "Digest x", ""])(
    "authorization: %j",
    async (authorization) => {
      const { reason, message } = await refusal({
        header: (name) => (name === "authorization" ? authorization : undefined),
      });
      expect(reason).toBe("TOKEN_INVALID");
      expect(message).not.toContain("YTpi");
    },
  );

  test("no text of a refusal holds a part of the token", async () => {
    const stranger = await makeKey("one");
    const token = await sign(stranger, { sub: "secret-name" });
    const { message } = await refusal(token);
    for (const part of ["secret-name", ...token.split(".")]) {
      expect(message).not.toContain(part);
    }
  });
});

test("whatever is done to a token, it is refused, or says what it said before", async () => {
  const grants = [{ resource: red, permissions: ["READ"] }];
  const tokens = await Promise.all([
    sign(key, { "wasmext.grants": grants }),
    sign(await makeKey("one"), { sub: "mallory" }),
    sign(key, { sub: "mallory", aud: "other" }),
  ]);
  const pieces = tokens.flatMap((token) => token.split("."));
  const part = fc.oneof(fc.constantFrom(...pieces), fc.base64String(), fc.string());
  const changed = fc
    .record({
      parts: fc.array(part, { maxLength: 4 }),
      at: fc.nat(),
      put: fc.oneof(fc.constant(""), fc.string({ maxLength: 3 })),
    })
    .map(({ parts, at, put }) => {
      const token = parts.length < 3 ? tokens[0] : parts.join(".");
      const index = at % (token.length + 1);
      return token.slice(0, index) + put + token.slice(index + put.length);
    });
  await fc.assert(
    fc.asyncProperty(changed, async (token) => {
      try {
        const principal = await call(token);
        expect(principal).toMatchObject({ name: "alice", grants });
      } catch (error) {
        expect(error).toBeInstanceOf(CatalogError);
        expect((error as CatalogError).refusal.kind).toBe("unauthenticated");
      }
    }),
    { numRuns: 1_000 },
  );
});

describe("verified tokens", () => {
  test("are verified once, by calls at the same time too", async () => {
    const source = await sourceOf(key);
    let found = 0;
    const { find } = source.keys;
    source.keys = { ...source.keys, find: (...about) => (found++, find(...about)) };
    const counting = await authenticatorOf({ keys: [key], keySource: source });
    const token = await sign(key);
    const all = await Promise.all(Array.from({ length: 50 }, () => call(token, counting)));
    expect(new Set(all).size).toBe(1);
    await counting(bearing(token));
    expect(found).toBe(1);
  });

  test("are forgotten when the keys change", async () => {
    const source = await sourceOf(key);
    const how = await authenticatorOf({ keys: [key], keySource: source });
    const token = await sign(key);
    await call(token, how);
    await source.replace(await makeKey("two"));
    expect((await refusal(token, how)).reason).toBe("TOKEN_INVALID");
  });

  test("are forgotten, longest unused first, over a bound", async () => {
    const source = await sourceOf(key);
    let found = 0;
    const { find } = source.keys;
    source.keys = { ...source.keys, find: (...about) => (found++, find(...about)) };
    const how = await authenticatorOf({
      keys: [key],
      keySource: source,
      remembered: { tokens: 2, characters: 100_000 },
    });
    const tokens = await Promise.all(["a", "b", "c"].map((sub) => sign(key, { sub })));
    const [a = "", b = "", c = ""] = tokens;
    for (const token of [a, b, a, c, a, c]) {
      await call(token, how);
    }
    expect(found).toBe(3);
    await call(b, how);
    expect(found).toBe(4);
  });

  test("10,000 different bad tokens ask for newer keys alone, and none of them is remembered", async () => {
    const source = await sourceOf(key);
    const how = await authenticatorOf({ keys: [key], keySource: source });
    const good = await sign(key);
    const before = await call(good, how);
    const claims = good.split(".")[1] ?? "";
    for (let index = 0; index < 10_000; index++) {
      const header = encoded({ alg: "ES256", kid: `kid-${index}` });
      await refusal(`${header}.${claims}.AAAA`, how);
    }
    expect(source.refreshes).toBe(10_000);
    expect(await call(good, how)).toBe(before);
  });
});

describe("the claims of identity providers", () => {
  const everyone = (claim: readonly string[], value: string) => {
    const grants = [{ resource: red, permissions: ["READ"] as const }];
    return [{ match: { kind: "claim", claim, values: [value] }, grants }] as const;
  };
  const hour = 3_600;
  const now = Math.floor(Date.now() / 1000);

  test.each([
    [
      "Keycloak: a realm role",
      "RS256",
      {
        jti: "onrtro:6f3f",
        aud: ["wasmext", "account"],
        sub: "f:9d6e3b1c-8b1a-4a53-9d0a:alice",
        typ: "Bearer",
        azp: "console",
        sid: "31337",
        acr: "1",
        realm_access: { roles: ["offline_access", "team-red"] },
        resource_access: { account: { roles: ["view-profile"] } },
        scope: "openid profile",
        preferred_username: "alice",
      },
      {},
      ["realm_access", "roles"],
      "team-red",
    ],
    [
      "Entra ID: an app role",
      "RS256",
      {
        ver: "2.0",
        tid: "72f988bf-0000-41af-91ab-2d7cd011db47",
        oid: "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        sub: "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        azp: "a1",
        azpacr: "1",
        roles: ["Mesh.Red"],
        groups: ["0a1b2c3d-0000-4000-8000-000000000001"],
        rh: "0.x",
        uti: "y",
      },
      { x5t: "nOo3ZDrODXEK1jKWhXslHR_KXEg" },
      ["roles"],
      "Mesh.Red",
    ],
    [
      "Okta: a group",
      "RS256",
      {
        ver: 1,
        jti: "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
        sub: "alice@example.com",
        cid: "0oa1",
        uid: "00u1",
        scp: ["openid", "wasmext"],
        groups: ["Everyone", "red"],
      },
      { typ: undefined },
      ["groups"],
      "red",
    ],
    [
      "Dex: a group of a connector",
      "RS256",
      {
        sub: "CiQwOGE4Njg0Yi1kYjg4LTRiNzMtOTBhOS0zY2QxNjYxZjU0NjYSBWxvY2Fs",
        at_hash: "x",
        email: "alice@example.com",
        email_verified: true,
        groups: ["acme:red"],
        name: "alice",
      },
      { typ: undefined },
      ["groups"],
      "acme:red",
    ],
    [
      "Kubernetes: a service account",
      "RS256",
      {
        aud: ["wasmext"],
        jti: "x",
        nbf: now,
        sub: "system:serviceaccount:mesh:deployer",
        "kubernetes.io": {
          namespace: "mesh",
          pod: { name: "deployer-0", uid: "1" },
          serviceaccount: { name: "deployer", uid: "2" },
        },
      },
      { typ: undefined },
      ["sub"],
      "system:serviceaccount:mesh:deployer",
    ],
    [
      "Kubernetes: a namespace",
      "ES256",
      { sub: "system:serviceaccount:mesh:other", "kubernetes.io": { namespace: "mesh" } },
      { typ: undefined },
      ["kubernetes.io", "namespace"],
      "mesh",
    ],
    [
      "Auth0: a claim named as a url",
      "RS256",
      { sub: "auth0|1", "https://acme.com/roles": ["red"] },
      {},
      ["https://acme.com/roles"],
      "red",
    ],
  ] as const)("%s", async (_name, algorithm, claims, header, claim, value) => {
    const own = await makeKey("idp", algorithm);
    // Several providers say nothing of the algorithm, and list keys for encryption too.
    const bare = Object.fromEntries(
      Object.entries(own.publicJwk).filter(([name]) => name !== "alg"),
    );
    const others = [{ ...own.publicJwk, kid: "enc", use: "enc", alg: "RSA-OAEP" }, { kty: "oct" }];
    const text = JSON.stringify({ keys: [bare, ...others] });
    const keySource = { ...(await sourceOf(own)), keys: await parseKeySet(text) };
    const token = await sign(own, { iat: now, exp: now + hour, ...claims }, header);
    const how = (rules: Parameters<typeof indexRules>[0]): Promise<Authenticate> =>
      authenticatorOf({ keys: [own], keySource, rules: createLiveRules(indexRules(rules)) });
    const principal = await call(token, await how(everyone(claim, value)));
    expect(principal.name).toBe(claims.sub);
    expect(may(principal, "READ", red)).toBe(true);
    const other = await call(token, await how(everyone(claim, `${value}x`)));
    expect(other.grants).toEqual([]);
  });
});

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
