import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { startServer } from "../support/server.ts";
import { cert, key } from "../support/tls.testdata.ts";

const extension = "organizations/org/extensions/x";
const group = "organizations/org/tenants/t/workspaces/w/securitygroups/sg";
const gateway = "organizations/org/tenants/t/workspaces/w/gatewaygroups/g/ingressgateways/in";

describe("the command line", () => {
  test.each([
    [["appply"], "apply"],
    [["apply", "-f"], "argument missing"],
    [["apply", "extra", "-f", "x"], "argument"],
    [["get"], "fqn"],
    [["get", "wasm-auth"], "organizations/{org}/extensions/{name}"],
    [["get", "organizations/org"], "organizations/{org}/extensions/{name}"],
    [["get", extension, "-o", "xml"], "table, yaml, json"],
    [["list", extension], "organizations/{org}"],
    [["list", "organizations/Org"], "organizations/{org}"],
    [["delete"], "-f"],
    [["attach", group, extension], "organizations/{org}/extensions/{name}"],
    [["attach", extension], "target"],
    [["attach", extension, group, "--config", "[1]"], "mapping in YAML or JSON"],
    [["attach", extension, group, "--config", "{a: 1"], "Line 1"],
    [["attach", extension, group, "--port", "0"], "from 1 to 65535"],
    [["attach", extension, group, "--label", "app"], "KEY=VALUE"],
    [["attach", extension, group, "--mode", "BOTH"], "CLIENT_AND_SERVER"],
    [["chain", "organizations/org"], "securitygroups/{group}"],
    [["chain", group, "--port", "65536"], "from 0 to 65535"],
    [["watch", group], "organizations/{org}/tenants/{tenant}"],
    [["watch", "organizations/org", "--from", "-1"], "revision"],
    [["export", "istoi", group], "istio"],
    [["export", "istio", extension], "It has to be the fqn of a target"],
    [["export", "istio", group, "-o", "table"], "yaml, json"],
    [["export", "yaml", "x"], "It has to be organizations/{org}/extensions/{name}"],
    [["envoy", "bootsrap", group], "bootstrap"],
    [["envoy", "bootstrap"], "target"],
    [["envoy", "bootstrap", "organizations/org"], "securitygroups/{group}"],
    [["envoy", "bootstrap", group], "--listener inbound"],
    [["envoy", "bootstrap", group, "--listener", "gateway"], "--listener inbound"],
    [["envoy", "bootstrap", gateway, "--listener", "inbound"], "--listener gateway"],
    [["envoy", "bootstrap", gateway, "--listener", "gateway:0"], "inbound:8080"],
    [["envoy", "bootstrap", gateway, "--listener", "gateway:65536"], "inbound:8080"],
    [["envoy", "bootstrap", gateway, "--listener", "server"], "inbound:8080"],
    [["envoy", "bootstrap", gateway, "--listen", "host:80"], "IP:PORT"],
    [["envoy", "bootstrap", gateway, "--listen", "127.0.0.1"], "IP:PORT"],
    [["envoy", "bootstrap", gateway, "--listen", "::1:80"], "IP:PORT"],
    [["envoy", "bootstrap", gateway, "--admin", "127.0.0.1:65536"], "IP:PORT"],
    [["envoy", "bootstrap", gateway, "--upstream", "127.0.0.1:0"], "HOST:PORT"],
    [["envoy", "bootstrap", gateway, "--upstream", "1.2.3:80"], "HOST:PORT"],
    [["envoy", "bootstrap", gateway, "--upstream", "http://a:80"], "HOST:PORT"],
    [["envoy", "bootstrap", gateway, "--node-id", ""], "1 to 256 characters"],
    [["envoy", "bootstrap", gateway, "--sds", "x"], "--client-cert"],
    [["envoy", "bootstrap", gateway, "--filters", "--listen", "127.0.0.1:80"], "--listen"],
    [["envoy", "bootstrap", gateway, "--filters", "--upstream", "a:80"], "--upstream"],
    [["list", "organizations/org", "--server", "ftp://x"], "http://HOST:PORT"],
    [["list", "organizations/org", "--server", "http://x/path"], "http://HOST:PORT"],
    [["list", "organizations/org", "--sever", "x"], "--server"],
  ])("%j is a usage error that names the remedy", async (parameters, remedy) => {
    const { exitCode, stdout, stderr } = await runCli(parameters);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^error: [^\n]*\n(?:\(Did you mean [^\n]*\)\n)?$/);
    expect(stderr).toContain(remedy);
  });

  test.each([
    [[], "Examples:"],
    [["apply"], "wasmext apply -f"],
    [["get"], "wasmext get"],
    [["list"], "wasmext list"],
    [["delete"], "wasmext delete"],
    [["attach"], "wasmext attach"],
    [["detach"], "wasmext detach"],
    [["chain"], "wasmext chain"],
    [["watch"], "wasmext watch"],
    [["export", "istio"], "kubectl apply --server-side -f -"],
    [["export", "yaml"], "wasmext export yaml"],
    [["envoy", "bootstrap"], "wasmext envoy bootstrap"],
    [["serve"], "wasmext serve"],
  ])("%j --help teaches by example", async (command, example) => {
    const { exitCode, stdout, stderr } = await runCli([...command, "--help"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain("Examples:");
    expect(stdout).toContain(example);
  });

  test("--version prints the version", async () => {
    expect(await runCli(["--version"])).toEqual({ exitCode: 0, stdout: "1.2.3\n", stderr: "" });
  });

  test.each([
    ["get", extension],
    ["list", "organizations/org"],
    ["delete", extension],
    ["attach", extension, group],
    ["detach", extension, group],
    ["chain", group],
    ["watch", "organizations/org"],
    ["export", "istio", group],
    ["export", "yaml", "organizations/org"],
  ])("%s says that the server cannot be reached, and exits with 1", async (...command) => {
    const { exitCode, stdout, stderr } = await runCli([...command, "--server", "localhost:1"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(
      /^error: cannot reach http:\/\/localhost:1: .*ECONNREFUSED.*; start a server with wasmext serve, or name another one with --server\n$/,
    );
  });

  test.each([
    ["HTTP alone", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "404"],
    ["another protocol", "SSH-2.0-OpenSSH_9.9\r\n", "Parse Error"],
  ])("a server that speaks %s is no wasmext server", async (_what, greeting, problem) => {
    const other = await listen((socket) => socket.end(greeting));
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    for (const command of ["get", "export yaml"]) {
      const parameters = [...command.split(" "), extension, "--server", url];
      const { exitCode, stdout, stderr } = await runCli(parameters);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toMatch(/^error: http:\S+ does not answer as a wasmext server does: .*\n$/);
      expect(stderr).toContain(problem);
    }
    other.close();
  });

  test("a server that hangs up is a lost connection", async () => {
    const other = await listen((socket) => socket.destroy());
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { exitCode, stderr } = await runCli(["list", "organizations/org", "--server", url]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^error: http:\S+: the connection was lost: .*; check what has been done and run/,
    );
    other.close();
  });

  test("http for a server with TLS, and https for one without, are one clear line", async () => {
    await using plain = await startServer();
    await using secure = await startServer({ tls: { cert, key } });
    const https = await runCli(["get", extension, "--server", `https://127.0.0.1:${plain.port}`]);
    expect(https).toMatchObject({
      exitCode: 1,
      stderr: `error: cannot reach https://127.0.0.1:${plain.port}: it does not speak TLS; write http:// instead of https://\n`,
    });
    const http = await runCli(["get", extension, "--server", `http://127.0.0.1:${secure.port}`]);
    expect(http.exitCode).toBe(1);
    expect(http.stderr).toMatch(/^error: [^\n]*http:\/\/127[^\n]*TLS needs https:\/\/\n$/);
  });
});

async function listen(onConnection: (socket: Socket) => unknown): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    onConnection(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
