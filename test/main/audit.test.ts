import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { folderOf, runCli } from "../support/cli.ts";
import { startProcess } from "../support/process.ts";

const document = `apiVersion: extension.tsb.tetrate.io/v2
kind: WasmExtension
metadata: { organization: acme, name: a }
spec: { url: "oci://example.com/a:1" }
`;

/** Serves, applies one extension, and ends. */
async function audited(parameters: string[], environment: Record<string, string> = {}) {
  const { child, firstLine, ended } = startProcess(
    ["serve", "--port", "0", ...parameters],
    environment,
  );
  const url = (await firstLine).split(" ").at(-1) ?? "";
  const applied = await runCli(["apply", "-f", "-", "--server", url], { input: document });
  child.kill("SIGTERM");
  return { applied, ended: await ended };
}

const line = /^\{"time":".*","principal":"anonymous","method":"CreateWasmExtension",.*\}$/m;

describe("wasmext serve --audit-log", () => {
  test.each([[], ["--audit-sync"]])(
    "%j leaves the line of a write in the file",
    async (...more) => {
      using folder = folderOf({});
      const path = `${folder.path}/audit.log`;
      const { ended } = await audited(["--audit-log", path, ...more]);
      expect(ended.exitCode).toBe(0);
      expect(readFileSync(path, "utf8")).toMatch(line);
    },
  );

  test("- leaves it on standard output, apart from the server's log", async () => {
    const { ended } = await audited(["--audit-log", "-", "--audit-sync"]);
    expect(ended.stdout.split("\n")).toHaveLength(3);
    expect(ended.stdout).toMatch(line);
    expect(ended.stderr).not.toMatch(line);
  });

  test("on a full disk refuses writes if they have to be on it, and makes them if not", async () => {
    const environment = { WASMEXT_AUDIT_LOG: "/dev/full", WASMEXT_AUDIT_SYNC: "true" };
    const refused = await audited([], environment);
    expect(refused.applied.stderr).toContain("written as revision 1");
    expect(refused.applied.exitCode).toBe(1);
    const made = await audited([], { ...environment, WASMEXT_AUDIT_SYNC: "false" });
    expect(made.applied).toMatchObject({ exitCode: 0, stderr: "" });
    expect(made.ended.stderr).toContain("the audit log cannot be written");
  });

  test("ends with one line when the file cannot be opened", async () => {
    const { ended } = startProcess(["serve", "--port", "0", "--audit-log", "/no/such/file"]);
    const { exitCode, stderr } = await ended;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: the audit log cannot be opened: ENOENT.*\n$/);
  });

  test.each([
    [["--audit-sync"], "--audit-log"],
    [["--audit-log", "x", "--audit-sync", "maybe"], "true or false"],
  ])("%j is a usage error", async (parameters, remedy) => {
    const { exitCode, stderr } = await startProcess(["serve", ...parameters]).ended;
    expect(exitCode).toBe(2);
    expect(stderr).toContain(remedy);
  });
});
