import { describe, expect, test } from "vitest";
import { type ServeOptions, warningsOf } from "../../src/cli/serve-options.ts";
import { runCli } from "../support/cli.ts";

const jwt = ["--auth", "jwt", "--jwks", "keys.json", "--issuer", "https://id", "--audience", "x"];
const tls = ["--tls-cert", "x.crt", "--tls-key", "x.key"];

describe("wasmext serve", () => {
  test.each([
    [["--host", "0.0.0.0"], "--allow-anonymous"],
    [["--host", "0.0.0.0", "--allow-anonymous", "false"], "--allow-anonymous"],
    [["--host", "::", ...tls], "not loopback"],
    [["--host", "10.0.0.1", "--auth", "none"], "10.0.0.1 is not loopback"],
    [["--allow-anonymous", "maybe"], "true or false"],
    [["--auth", "basic"], "none, jwt"],
    [["--max-connections", "0"], "from 1 to 1000000"],
    [["--max-streams", "-1"], "from 1 to 1000000"],
    [["--max-watches", "many"], "from 1 to 1000000"],
    [["--header-timeout", "10s"], "from 1 to 86400"],
    [["--request-timeout", "0"], "from 1 to 86400"],
    [["--idle-timeout", "86401"], "from 1 to 86400"],
    [["--store-prefix", ""], "mesh/staging/"],
    [["--store-prefix", "wasmext"], "mesh/staging/"],
    [["--store-prefix", "wasmext/p/"], "mesh/staging/"],
    [["--store-user", "u"], "--store-password-file"],
    [["--store-cert", "c"], "--store-key"],
    [["--auth", "jwt"], "--jwks and --issuer and --audience"],
    [["--auth", "jwt", "--jwks", "x", "--audience", "x"], "needs --issuer"],
    [jwt.with(5, ""), "needs --issuer"],
    [jwt.with(7, ""), "audience"],
    [jwt.with(7, "a,,b"), "audience"],
    [jwt.with(3, ""), "file"],
    [jwt.with(3, "ftp://id/keys"), "https://HOST/PATH"],
    [jwt.with(3, "https://user:secret@id/keys"), "without a user"],
    [[...jwt, "--allow-anonymous"], "--allow-anonymous does not go with --auth jwt"],
    [[...jwt, "--clock-skew", "-1"], "from 0 to 300"],
    [[...jwt, "--clock-skew", "301"], "from 0 to 300"],
    [[...jwt, "--grants", ""], "file"],
    [["--jwks", "keys.json"], "--jwks is for --auth jwt"],
    [["--issuer", "https://id"], "--issuer is for --auth jwt"],
    [["--audience", "x"], "--audience is for --auth jwt"],
    [["--allow-module-network", "10.0.0.1/8"], "10.0.0.0/8"],
    [["--allow-module-network", "10.0.0.0/8,"], "10.0.0.0/8"],
    [["--allow-module-network", "localhost"], "10.0.0.0/8"],
    [["--module-cache", ""], "folder"],
    [["--pull-secrets", ""], "folder"],
    [["--module-check-interval", "0"], "from 1 to 86400"],
    [["--module-cache-bytes", "1000"], "at least twice --max-module-bytes"],
    [["--max-module-bytes", "1000000000"], "at least twice --max-module-bytes"],
    [["--on-module-failure", "stats"], "PHASE=deny or PHASE=skip"],
    [["--on-module-failure", "stats=deny,authz"], "PHASE=deny or PHASE=skip"],
    [["--max-inline-module-bytes", "-1"], "from 0 to"],
    [["--grants", "grants.yaml"], "--auth jwt or --tls-client-ca"],
    [["--tls-client-ca", "ca.crt"], "--tls-cert and --tls-key"],
    [
      [...tls, "--tls-client-ca", "ca.crt", "--allow-anonymous"],
      "does not go with --tls-client-ca",
    ],
  ])("%j is a usage error that names the remedy", async (parameters, remedy) => {
    const { exitCode, stdout, stderr } = await runCli(["serve", ...parameters]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^error: [^\n]*\n$/);
    expect(stderr).toContain(remedy);
  });

  test.each([
    [["--host", "0.0.0.0", "--allow-anonymous"]],
    [["--allow-anonymous", "--host", "0.0.0.0"]],
    [["--host", "0.0.0.0", "--allow-anonymous", "true"]],
    [["--host", "localhost", "--allow-anonymous"]],
    [["--host", "0.0.0.0", ...jwt]],
    [["--host", "0.0.0.0", ...tls, "--tls-client-ca", "ca.crt"]],
    [[...jwt, ...tls, "--tls-client-ca", "ca.crt", "--grants", "x"]],
    [[...jwt, "--audience", "y, z", "--allow-anonymous", "false"]],
  ])("%j serves", async (parameters) => {
    await expect(runCli(["serve", ...parameters])).rejects.toThrow("no command of these tests");
  });
});

describe("warnings", () => {
  const options: ServeOptions = {
    ...{
      host: "0.0.0.0",
      port: 0,
      store: "sqlite:catalog.db",
      storePrefix: "wasmext/",
      maxMessageBytes: 1,
      logLevel: "info",
    },
    ...{ allowOrigin: [], allowHost: [], auth: "none", clockSkew: 30 },
    ...{ maxConnections: 1, maxStreams: 1, maxWatches: 1 },
    ...{ headerTimeout: 1, requestTimeout: 1, idleTimeout: 1 },
    ...{ moduleCacheBytes: 2, maxModuleBytes: 1, moduleCheckInterval: 1, allowModuleNetwork: [] },
    ...{ maxInlineModuleBytes: 1, onModuleFailure: [] },
  };

  test.each<[Partial<ServeOptions>, string[]]>([
    [{}, ["anyone who reaches the port can read and write everything"]],
    [{ host: "127.0.0.1" }, []],
    [{ host: "127.0.0.1", store: "memory" }, ["lost when the server stops"]],
    [{ auth: "jwt", jwks: "keys.json" }, ["there is no TLS"]],
    [{ auth: "jwt", jwks: "keys.json", tlsCert: "x", tlsKey: "x" }, []],
    [{ tlsCert: "x", tlsKey: "x", tlsClientCa: "x" }, []],
    [{ host: "localhost", auth: "jwt", jwks: "http://id.example.com/keys" }, ["not https"]],
    [{ host: "localhost", auth: "jwt", jwks: "http://127.0.0.1:1/keys" }, []],
  ])("with %j", (more, expected) => {
    const warnings = warningsOf({ ...options, ...more });
    expect(warnings).toEqual(expected.map((text) => expect.stringContaining(text) as unknown));
  });
});
