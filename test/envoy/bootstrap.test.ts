/* A real Envoy takes what `wasmext envoy bootstrap` prints, and shows the credentials that are meant. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ServerCredentials } from "@grpc/grpc-js";
import { afterEach, describe, expect, inject, test, vi } from "vitest";
import { parse } from "yaml";
import { redIngress, redSecurity } from "../support/acme.ts";
import { ci, clientCa, workload } from "../support/certificates.testdata.ts";
import { folderOf, runCli } from "../support/cli.ts";
import { cert, key } from "../support/tls.testdata.ts";
import { type AdsServer, startAdsServer } from "./support/ads-server.ts";
import { problemWith, startEnvoy } from "./support/envoy.ts";
import { listenerName, type OwnParts, staticBootstrap } from "./support/static-bootstrap.ts";
import { send } from "./support/traffic.ts";
import { startUpstream } from "./support/upstream.ts";

const certificates = {
  "ca.pem": cert,
  "c.pem": ci.cert,
  "k.pem": ci.key,
  token: "from-file\n",
};

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Runs the command; resolves with what it printed. */
async function bootstrap(...parameters: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCli(["envoy", "bootstrap", ...parameters]);
  expect({ exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout;
}

/** Puts the printed parts into a bootstrap, as a user would. */
function merged(printed: string, upstreamPort: number): object {
  const parts = parse(printed) as {
    http_filters: OwnParts["httpFilters"];
    dynamic_resources?: unknown;
    static_resources: Pick<OwnParts, "clusters" | "secrets">;
  };
  return staticBootstrap({
    upstreamPort,
    httpFilters: parts.http_filters,
    dynamicResources: parts.dynamic_resources ?? {},
    ...parts.static_resources,
  });
}

describe.each([
  ["newest", "envoy"],
  ["oldest", "oldestEnvoy"],
] as const)("the %s Envoy takes it", (_, program) => {
  const targets = [
    [redIngress],
    [redIngress, "--listener", "gateway:443"],
    [redSecurity, "--listener", "inbound:8080"],
    [redSecurity, "--listener", "outbound"],
  ];
  const shapes = [[], ["--atomic"], ["--no-ads"], ["--atomic", "--no-ads"]];
  const addresses = [
    [],
    ["--upstream", "127.0.0.1:8081", "--listen", "0.0.0.0:8000"],
    ["--upstream", "up.example:80", "--admin", "[::1]:9000", "--node-id", "web-1"],
  ];
  const servers = [
    [],
    ["--token", "a.b.c"],
    ["--token-file", "FOLDER/token"],
    ["--server", "http://[::1]:8080"],
    ["--server", "https://catalog.example", "--token-file", "FOLDER/token"],
    ["--server", "https://127.0.0.1:8443", "--ca", "FOLDER/ca.pem"],
  ];
  const client = ["--server", "https://localhost:8443", "--ca", "FOLDER/ca.pem"].concat(
    ...["--client-cert", "FOLDER/c.pem", "--client-key", "FOLDER/k.pem"],
  );
  servers.push(client, [...client, "--sds", "FOLDER/sds"]);

  test.each(servers.map((server) => ({ server, name: server.join(" ") || "no option" })))(
    "with $name",
    async ({ server }) => {
      using folder = folderOf(certificates);
      const options = server.map((option) => option.replace("FOLDER", folder.path));
      const problems: string[] = [];
      for (const [index, target] of targets.entries()) {
        for (const shape of shapes) {
          const all = [...target, ...shape, ...options];
          const whole = await bootstrap(...all, ...(addresses[index % addresses.length] ?? []));
          const filters = merged(await bootstrap(...all, "--filters"), 80);
          const found = await Promise.all(
            [whole, filters].map((printed) => problemWith(printed, inject("envoyTools")[program])),
          );
          problems.push(...found.filter((problem) => problem !== ""));
        }
      }
      expect(problems).toEqual([]);
    },
  );
});

test("Envoy says what it does not take", async () => {
  const printed = await bootstrap(redIngress);
  const wrong = printed.replace("stat_prefix", "stat_perfix");
  expect(await problemWith(wrong, inject("envoyTools").envoy)).toContain("stat_perfix");
});

describe("Envoy asks for the slots", () => {
  const names = ["authn", "authz", "stats", "unspecified"].map(
    (phase) => `wasmext/${phase}/gateway/${redIngress}`,
  );

  test("of a whole bootstrap, and opens when they are filled", async () => {
    using server = await startAdsServer();
    await using upstream = await startUpstream();
    const ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    const to = ["--server", `http://localhost:${server.port}`, "--upstream", upstream.address];
    const printed = await bootstrap(redIngress, ...ports, ...to);
    await using envoy = await startEnvoy(printed, { flags: ["--service-node", "web-7"] });
    await envoy.live();
    expect(await send(await envoy.portOf("wasmext"))).toMatchObject({ status: 200 });
    expect(server.names.toSorted()).toEqual(names);
    expect(server.streams).toMatchObject([{ authority: `localhost:${server.port}` }]);
    expect(server.requests[0]?.node?.id).toBe("web-7");
  });

  test("by itself, without an upstream", async () => {
    using server = await startAdsServer();
    const ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    const to = ["--server", `http://127.0.0.1:${server.port}`, "--atomic"];
    await using envoy = await startEnvoy(await bootstrap(redIngress, ...ports, ...to));
    await envoy.live();
    const answer = await send(await envoy.portOf("wasmext"));
    expect(answer).toMatchObject({ status: 200, body: "Envoy answers this itself.\n" });
    expect(server.names).toEqual([`wasmext/all/gateway/${redIngress}`]);
  });

  test("that were pasted, each on a stream of its own with --no-ads", async () => {
    // The server has no ExtensionConfigDiscoveryService, which is told to Envoy.
    using server = await startAdsServer();
    await using upstream = await startUpstream();
    const to = ["--server", `http://127.0.0.1:${server.port}`];
    const printed = await bootstrap(redIngress, "--filters", "--no-ads", ...to);
    await using envoy = await startEnvoy(merged(printed, upstream.port));
    await envoy.logged("ExtensionConfigDiscoveryService");
    expect(await envoy.state()).toBe("INITIALIZING");
  });

  test("that were pasted into a bootstrap", async () => {
    using server = await startAdsServer();
    await using upstream = await startUpstream();
    const to = ["--server", `http://127.0.0.1:${server.port}`];
    const printed = await bootstrap(redIngress, "--filters", ...to);
    await using envoy = await startEnvoy(merged(printed, upstream.port));
    await envoy.live();
    expect(await send(await envoy.portOf(listenerName))).toMatchObject({ status: 200 });
    expect(server.names.toSorted()).toEqual(names);
  });
});

describe("Envoy shows", () => {
  test.each([
    ["--token", "from-option", "Bearer from-option"],
    ["--token-file", "token", "Bearer from-file"],
  ])("the token of %s", async (option, value, authorization) => {
    using server = await startAdsServer();
    using folder = folderOf(certificates);
    const token = option === "--token" ? value : join(folder.path, value);
    await using envoy = await startEnvoy(await bootstrapFor(server, option, token));
    await envoy.live();
    expect(server.streams).toMatchObject([{ authorization }]);
    expect(await envoy.admin("config_dump")).not.toContain("from-");
  });

  test("the token of its own environment", async () => {
    using server = await startAdsServer();
    vi.stubEnv("WASMEXT_TOKEN", "of-the-command");
    const printed = await bootstrapFor(server);
    const environment = { WASMEXT_TOKEN: "of-envoy" };
    await using envoy = await startEnvoy(printed, { environment });
    await envoy.live();
    expect(server.streams).toMatchObject([{ authorization: "Bearer of-envoy" }]);
  });

  test.each([
    [
      "written",
      (path: string) => {
        writeFileSync(path, "second");
      },
    ],
    [
      "replaced",
      (path: string) => {
        writeFileSync(`${path}.new`, "second\n");
        renameSync(`${path}.new`, path);
      },
    ],
  ])("the new token of a file that was %s, on its next stream", async (_, change) => {
    using server = await startAdsServer();
    using folder = folderOf(certificates);
    const path = join(folder.path, "token");
    await using envoy = await startEnvoy(await bootstrapFor(server, "--token-file", path));
    await envoy.live();
    change(path);
    server.disconnect();
    await expect.poll(() => server.streams.length, { timeout: 10_000 }).toBe(2);
    expect(server.streams[1]).toMatchObject({ authorization: "Bearer second" });
  });

  test("no token if its file is gone, and says so in its log", async () => {
    using server = await startAdsServer();
    const missing = "/nowhere/token";
    await using envoy = await startEnvoy(await bootstrapFor(server, "--token-file", missing));
    await envoy.live();
    expect(server.streams).toMatchObject([{ authorization: "" }]);
    expect(await envoy.logged(missing)).toContain("No such file");
  });

  test("the client certificate, and the next one that --sds leads to", async () => {
    const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
    const tls = ServerCredentials.createSsl(Buffer.from(clientCa.cert), [pair], true);
    using server = await startAdsServer(tls);
    using folder = folderOf({
      "ca.pem": cert,
      "c.pem": workload.cert,
      "k.pem": workload.key,
    });
    const at = (name: string): string => join(folder.path, name);
    const files = ["--ca", at("ca.pem"), "--client-cert", at("c.pem"), "--client-key", at("k.pem")];
    const to = ["--server", `https://localhost:${server.port}`, "--sds", at("sds.yaml")];
    const printed = await bootstrap(redIngress, ...ports, ...files, ...to);
    await using envoy = await startEnvoy(printed);
    await envoy.live();
    expect(server.streams[0]?.certificate).toBe("URI:spiffe://cluster.local/ns/mesh/sa/ci");
    writeFileSync(at("c.new"), ci.cert);
    renameSync(at("c.new"), at("c.pem"));
    writeFileSync(at("k.new"), ci.key);
    renameSync(at("k.new"), at("k.pem"));
    await expect
      .poll(async () => {
        const stats = await envoy.stats(
          "cluster.wasmext.client_ssl_socket_factory.ssl_context_update_by_sds",
        );
        return [...stats.values()];
      })
      .toEqual(["2"]);
    server.disconnect();
    await expect.poll(() => server.streams.length, { timeout: 10_000 }).toBe(2);
    // This one has no names.
    expect(server.streams[1]?.certificate).toBeUndefined();
  });

  test.each([
    // The certificate is for 127.0.0.1 and localhost.
    ["for another name", "127.0.0.2", cert, "fail_verify_san"],
    ["of another authority", "127.0.0.1", clientCa.cert, "fail_verify_error"],
  ])("nothing to a server whose certificate is %s", async (_, host, authority, stat) => {
    const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
    using server = await startAdsServer(ServerCredentials.createSsl(null, [pair]), host);
    using folder = folderOf({ "ca.pem": authority });
    const to = ["--server", `https://${host}:${server.port}`, "--ca", join(folder.path, "ca.pem")];
    await using envoy = await startEnvoy(await bootstrap(redIngress, ...ports, ...to));
    const name = `cluster.wasmext.ssl.${stat}`;
    const refusals = async () => Number((await envoy.stats(name)).get(name));
    await expect.poll(refusals).toBeGreaterThan(0);
    expect(server.streams).toEqual([]);
  });

  const ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

  function bootstrapFor(server: AdsServer, ...options: string[]): Promise<string> {
    const to = ["--server", `http://127.0.0.1:${server.port}`];
    return bootstrap(redIngress, ...ports, ...to, ...options);
  }
});
