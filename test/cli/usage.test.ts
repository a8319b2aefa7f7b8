import { describe, expect, test } from "vitest";
import { runCli } from "../support/cli.ts";

const extension = "organizations/org/extensions/x";
const group = "organizations/org/tenants/t/workspaces/w/securitygroups/sg";

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
    [["export", "istio", extension], "It has to be a target"],
    [["export", "istio", group, "-o", "table"], "yaml, json"],
    [["export", "yaml", "x"], "It has to be an extension"],
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
    [["export", "istio"], "kubectl apply -f -"],
    [["export", "yaml"], "wasmext export yaml"],
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
});
