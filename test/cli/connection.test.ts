/* How commands connect: what they show to a server, and what they refuse to. */
import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import { describe, expect, test } from "vitest";
import { anyone, type Principal } from "../../src/catalog/access/principal.ts";
import { CatalogError } from "../../src/catalog/errors.ts";
import { createCredentials } from "../../src/cli/credentials.ts";
import { withSession } from "../../src/cli/session.ts";
import { createMemoryCatalog } from "../../src/journal/catalog.ts";
import { folderOf, runCli } from "../support/cli.ts";
import { acme, createAcme, ext } from "../support/acme.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { cert, key } from "../support/tls.testdata.ts";

/** A self-signed certificate that is nobody's. */
const other = `-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIUX/JPQxcPi2TCiMHSHZ1fvxJp/1kwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTI1MDcyMTI1WhgPMjEyNjExMDEwNzIx
MjVaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
h/RCjb8rjfPlMmMl1HqYCx/jnWaPDPteQGb4Gt5iguyn+WaBa5H2aECfhJpI9EVu
eyHrYwKCgjRpDNVPJmLsyqNTMFEwHQYDVR0OBBYEFCOegzP50DVv+R2SR/vvOsSS
jnxhMB8GA1UdIwQYMBaAFCOegzP50DVv+R2SR/vvOsSSjnxhMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAIiM9rbcUUk186bt0iv9rrjBJFsptYGK
Tj2mQECLsklsAiBb1se/BNFnyjDORdYxHXaFaVps4sFlaigm8bNMac0Ing==
-----END CERTIFICATE-----
`;

/** Refuses a token as one that has expired. */
function expired(): CatalogError {
  return new CatalogError({
    kind: "unauthenticated",
    reason: "CREDENTIALS_EXPIRED",
    message: "the token has expired",
    metadata: {},
  });
}

/** A server whose callers show their names as tokens, and the ways that calls have named them. */
async function startNamed(
  principals: Readonly<Record<string, Partial<Principal>>> = {},
  catalog = createMemoryCatalog(),
): Promise<RunningServer & { readonly shown: (string | undefined)[] }> {
  const shown: (string | undefined)[] = [];
  const server = await startServer({
    catalog,
    authenticate: (credentials) => {
      const authorization = credentials.header("authorization");
      shown.push(authorization);
      const name = authorization?.replace("Bearer ", "") ?? "nobody";
      const principal = { ...anyone, name, ...principals[name] };
      if (principal.expiresAt <= Date.now()) {
        throw expired();
      }
      return principal;
    },
  });
  return { ...server, shown };
}

const whoami = (url: string, ...parameters: string[]) =>
  runCli(["whoami", "--server", url, ...parameters]);

describe("wasmext whoami", () => {
  const grants = [
    { resource: acme, permissions: ["READ", "CREATE"] },
    { resource: `${acme}/tenants/red`, permissions: ["WRITE", "DELETE"] },
  ] as const;
  const expiresAt = Date.UTC(2126, 0, 2, 3, 4, 5);

  test("shows the name, the end and the grants", async () => {
    await using server = await startNamed({ alice: { grants, expiresAt } });
    const { stdout } = await whoami(server.url, "--token", "alice");
    expect(stdout).toBe(
      `alice, until 2126-01-02T03:04:05.000Z

RESOURCE                         PERMISSIONS
organizations/acme               READ, CREATE
organizations/acme/tenants/red   WRITE, DELETE
`,
    );
  });

  test("writes the same as JSON and YAML", async () => {
    await using server = await startNamed({ alice: { grants, expiresAt } });
    const json = await whoami(server.url, "--token", "alice", "-o", "json");
    expect(JSON.parse(json.stdout)).toEqual({
      principal: "alice",
      expireTime: "2126-01-02T03:04:05Z",
      grants: grants.map(({ resource, permissions }) => ({
        resource,
        permissions: permissions.map((permission) => `PERMISSION_${permission}`),
      })),
    });
    const yaml = await whoami(server.url, "--token", "alice", "-o", "yaml");
    expect(yaml.stdout).toContain("principal: alice\n");
  });

  test("is anonymous, and may do everything, where callers are not told apart", async () => {
    await using server = await startServer();
    const { stdout } = await whoami(server.url);
    expect(stdout).toMatch(/^anonymous\n\n.*\norganizations +READ, CREATE, WRITE, DELETE\n$/);
  });

  test("says that there are no grants", async () => {
    await using server = await startNamed({ alice: { grants: [] } });
    const { exitCode, stdout, stderr } = await whoami(server.url, "--token", "alice");
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: "alice\n",
      stderr: "No grants.\n",
    });
  });
});

describe("--token-file", () => {
  test("shows what the file holds, without the space around it", async () => {
    await using server = await startNamed();
    using folder = folderOf({ token: "alice\r\n" });
    const { stdout } = await whoami(server.url, "--token-file", `${folder.path}/token`);
    expect(stdout).toMatch(/^alice\n/);
    expect(server.shown).toEqual(["Bearer alice"]);
  });

  test("reads a pipe once, for all calls", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    await catalog.put("b");
    await using server = await startNamed({}, catalog);
    const main = new URL("../../src/main.ts", import.meta.url).pathname;
    const wasmext = `"${process.execPath}" "${main}" delete --server ${server.url}`;
    const command = `${wasmext} ${ext("a")} ${ext("b")} --token-file <(echo alice)`;
    const { stdout } = await promisify(execFile)("bash", ["-c", command]);
    expect(stdout).toBe(`${ext("a")} deleted\n${ext("b")} deleted\n`);
    expect(server.shown).toEqual(["Bearer alice", "Bearer alice"]);
  });

  test("is read for each call, also when it is replaced or for a moment cannot be read", () => {
    using folder = folderOf({ token: "first" });
    const path = `${folder.path}/token`;
    const shownBy = createCredentials({ server: "http://localhost", tokenFile: path });
    const shown = (): string | null => {
      const header = new Headers();
      const next = (request: { header: Headers }) => Promise.resolve(request);
      void (shownBy.showToken as unknown as (n: typeof next) => typeof next)(next)({ header });
      return header.get("authorization");
    };
    expect(shown()).toBe("Bearer first");
    writeFileSync(path, "second");
    expect(shownBy.hasNewToken()).toBe(true);
    expect(shown()).toBe("Bearer second");
    expect(shownBy.hasNewToken()).toBe(false);
    writeFileSync(path, "");
    expect(shown()).toBe("Bearer second");
    rmSync(path);
    expect(shown()).toBe("Bearer second");
    writeFileSync(path, "third!");
    utimesSync(path, 0, 0);
    expect(shown()).toBe("Bearer third!");
  });

  test.each([
    [{}, /^error: the file of --token-file cannot be read: ENOENT/],
    [{ token: " \n" }, /^error: the token of --token-file is empty\n$/],
    [{ token: "sec\nret" }, /^error: the token of --token-file has invalid characters\n$/],
    [{ token: "sécret" }, /^error: the token of --token-file has invalid characters\n$/],
  ])("%j is refused without a call", async (files, message) => {
    await using server = await startNamed();
    using folder = folderOf(files);
    const ran = await whoami(server.url, "--token-file", `${folder.path}/token`);
    expect({ exitCode: ran.exitCode, stdout: ran.stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toMatch(message);
    expect(server.shown).toEqual([]);
  });

  test("a watch whose token expires goes on with the new one, and misses nothing", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const ending = new AbortController();
    let soon = Infinity;
    await using server = await startNamed(
      {
        old: {
          get expiresAt() {
            return soon;
          },
        },
      },
      catalog,
    );
    using folder = folderOf({ token: "old" });
    const path = `${folder.path}/token`;
    const lines: string[] = [];
    const notes: string[] = [];
    soon = Date.now() + 300;
    const ran = runCli(["watch", acme, "--server", server.url, "--token-file", path], {
      closed: ending.signal,
      onPrint: async (text) => {
        lines.push(text.trim().split(/\s+/).slice(1, 3).join(" "));
        if (lines.length === 1) {
          writeFileSync(path, "new");
          await catalog.put("b");
        }
      },
      onSay: (line) => {
        notes.push(line);
        void catalog.put("c");
      },
    });
    await expect
      .poll(() => lines)
      .toEqual([`present ${ext("a")}`, `created ${ext("b")}`, `created ${ext("c")}`]);
    expect(notes).toEqual(["the token has expired; going on with the new one"]);
    expect(server.shown).toEqual(["Bearer old", "Bearer new"]);
    ending.abort();
    expect((await ran).exitCode).toBe(0);
  });

  test("a watch whose token expires, with no new one, ends and says so", async () => {
    await using server = await startNamed({ old: { expiresAt: Date.now() + 300 } });
    using folder = folderOf({ token: "old" });
    const parameters = ["--server", server.url, "--token-file", `${folder.path}/token`];
    const { exitCode, stderr } = await runCli(["watch", acme, ...parameters]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: the token.* has expired; .*\n$/);
  });
});

describe("options that contradict each other", () => {
  const https = ["--server", "https://localhost:1"];

  test.each([
    [["--token", "a", "--token-file", "b"], "--token and --token-file"],
    [[...https, "--client-cert", "a"], "--client-key"],
    [[...https, "--client-key", "a"], "--client-cert"],
    [["--client-cert", "a", "--client-key", "b"], "https://"],
    [["--ca", "a"], "https://"],
  ])("%j are a usage error", async (parameters, remedy) => {
    const { exitCode, stdout, stderr } = await runCli(["whoami", ...parameters]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^error: .*\n$/);
    expect(stderr).toContain(remedy);
  });

  test("an option goes before the environment", async () => {
    await using server = await startNamed();
    using folder = folderOf({ token: "from-file" });
    const file = `${folder.path}/token`;
    const shown = async (environment: Record<string, string>, ...parameters: string[]) => {
      Object.assign(process.env, environment);
      try {
        const { exitCode, stdout } = await whoami(server.url, ...parameters);
        return exitCode === 0 ? stdout.split("\n")[0] : exitCode;
      } finally {
        Object.keys(environment).forEach((name) => Reflect.deleteProperty(process.env, name));
      }
    };
    expect(await shown({ WASMEXT_TOKEN: "a" })).toBe("a");
    expect(await shown({ WASMEXT_TOKEN_FILE: file })).toBe("from-file");
    expect(await shown({ WASMEXT_TOKEN: "a" }, "--token-file", file)).toBe("from-file");
    expect(await shown({ WASMEXT_TOKEN_FILE: file }, "--token", "b")).toBe("b");
    expect(await shown({ WASMEXT_TOKEN: "a", WASMEXT_TOKEN_FILE: file })).toBe(2);
  });
});

describe("a token", () => {
  test("that goes to another machine without encryption is warned of, and never printed", async () => {
    const { stderr } = await runCli([
      ...["whoami", "--server", "http://wasmext.invalid:1", "--token", "s3cret"],
    ]);
    expect(stderr).toMatch(/^warning: the token goes to http:.* without encryption, .*\nerror: /);
    expect(stderr).not.toContain("s3cret");
  });

  test.each([
    ["--token=s3cret", "--server", "ftp://x"],
    ["--tokn=s3cret"],
    ["--tokn", "s3cret"],
    ["--token", "s3cret", "extra"],
    ["--token", "s3cret", "--token-file", "x"],
    ["--token", "s3cret\n"],
  ])("%s %s %s is not in an error", async (...parameters) => {
    const { exitCode, stderr } = await runCli(["whoami", ...parameters]);
    expect(exitCode).not.toBe(0);
    expect(stderr).not.toContain("s3cret");
  });
});

describe("TLS", () => {
  /** A foreign server that asks for certificates, and keeps the subjects of those that it sees. */
  async function startForeign(): Promise<{ server: Server; url: string; subjects: unknown[] }> {
    const subjects: unknown[] = [];
    const options = { cert, key, ca: cert, requestCert: true, rejectUnauthorized: true };
    const server = createServer(options, ({ socket }, response) => {
      subjects.push(socket instanceof TLSSocket && socket.getPeerCertificate().subject.CN);
      response.writeHead(404).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return { server, url: `https://localhost:${port}`, subjects };
  }

  const files = { "ca.pem": cert, "client.pem": cert, "client.key": key };

  test("a server is known by --ca, and not without", async () => {
    await using server = await startServer({ tls: { cert, key } });
    using folder = folderOf(files);
    const url = `https://localhost:${server.port}`;
    expect((await whoami(url, "--ca", `${folder.path}/ca.pem`)).exitCode).toBe(0);
    const { exitCode, stderr } = await whoami(url);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: cannot reach https:.*; name .* with --ca\n$/);
  });

  test("a client shows its certificate, and hears that a server wants one", async () => {
    const { server, url, subjects } = await startForeign();
    using folder = folderOf(files);
    const path = (name: string): string => `${folder.path}/${name}`;
    const ca = ["--ca", path("ca.pem")];
    const pair = ["--client-cert", path("client.pem"), "--client-key", path("client.key")];
    await whoami(url, ...ca, ...pair);
    expect(subjects).toEqual(["localhost"]);
    const { exitCode, stderr } = await whoami(url, ...ca);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: https:.* refuses the connection: .*; check --client-cert/);
    server.closeAllConnections();
    server.close();
  });

  test("files are read again for the next connection when they have changed", async () => {
    await using server = await startServer({ tls: { cert, key } });
    using folder = folderOf({ "ca.pem": other });
    const ca = `${folder.path}/ca.pem`;
    await withSession({ server: `https://localhost:${server.port}`, ca }, async ({ access }) => {
      await expect(access.whoAmI({})).rejects.toThrow("self-signed certificate");
      writeFileSync(ca, cert);
      expect(await access.whoAmI({})).toMatchObject({ principal: "anonymous" });
      // Half of a replacement.
      writeFileSync(ca, cert.slice(0, 100));
      expect(await access.whoAmI({})).toMatchObject({ principal: "anonymous" });
    });
  });

  test.each([
    [["--ca", "ca.pem"], { "ca.pem": "none" }, "the file of --ca holds no certificate in PEM"],
    [["--ca", "none"], {}, "the file of --ca cannot be read: ENOENT"],
    [
      ["--client-cert", "c", "--client-key", "k"],
      { c: cert, k: "none" },
      "--client-cert and --client-key are not a valid pair in PEM",
    ],
  ])("%j with a file that cannot be used fails without a call", async (options, content, text) => {
    using folder = folderOf(content);
    const parameters = options.map((part) =>
      part.startsWith("--") ? part : `${folder.path}/${part}`,
    );
    const { exitCode, stderr } = await whoami("https://localhost:1", ...parameters);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`error: ${text}`);
    expect(stderr.split("\n")).toHaveLength(2);
  });
});
