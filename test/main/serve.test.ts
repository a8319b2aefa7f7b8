import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { startProcess } from "../support/process.ts";

describe("wasmext serve", () => {
  test("prints one line when it is ready, answers, and ends with 0 on SIGINT", async () => {
    const { child, firstLine, ended } = startProcess(["serve", "--port", "0"]);
    const line = await firstLine;
    expect(line).toMatch(/^wasmext listening on http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    const url = line.split(" ").at(-1) ?? "";
    expect(await (await fetch(`${url}/healthz`)).text()).toBe("ok\n");
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    child.kill("SIGINT");
    const { exitCode, stdout } = await ended;
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`${line}\n`);
  });

  test("takes an option before the environment, and the environment before the default", async () => {
    const environment = {
      WASMEXT_PORT: "0",
      WASMEXT_HOST: "localhost",
      WASMEXT_LOG_LEVEL: "silent",
    };
    const fromEnvironment = startProcess(["serve"], environment);
    const fromOption = startProcess(["serve", "--host", "127.0.0.1"], environment);
    expect(await fromEnvironment.firstLine).toContain("http://localhost:");
    expect(await fromOption.firstLine).toContain("http://127.0.0.1:");
    for (const { child, ended } of [fromEnvironment, fromOption]) {
      child.kill("SIGTERM");
      expect(await ended).toMatchObject({ exitCode: 0, stderr: "" });
    }
  });

  test("takes allowed origins from the environment, separated by commas", async () => {
    const { child, firstLine, ended } = startProcess(["serve", "--port", "0"], {
      WASMEXT_ALLOW_ORIGIN: "https://a.example, https://b.example",
    });
    const url = (await firstLine).split(" ").at(-1) ?? "";
    const allowed = async (origin: string): Promise<string | null> =>
      (await fetch(`${url}/healthz`, { headers: { origin } })).headers.get(
        "access-control-allow-origin",
      );
    expect(await allowed("https://b.example")).toBe("https://b.example");
    expect(await allowed("http://localhost:3000")).toBeNull();
    child.kill();
    await ended;
  });

  test.each([
    [["serve", "--port", "65536"], "65535"],
    [["serve", "--port", "http"], "whole number"],
    [["serve", "--prot", "1"], "--port"],
    [["serve", "--store", "postgres:x"], "memory, sqlite:PATH, or etcd:URL[,URL...]"],
    [["serve", "--store", "sqlite"], "sqlite:catalog.db"],
    [["serve", "--store", "sqlite:"], "sqlite:catalog.db"],
    [["serve", "--store", "memory:x"], "memory, sqlite:PATH, or etcd:URL[,URL...]"],
    [["serve", "--store", ""], "memory, sqlite:PATH, or etcd:URL[,URL...]"],
    [["serve", "--store", "SQLITE:x.db"], "memory, sqlite:PATH, or etcd:URL[,URL...]"],
    [["serve", "--log-level", "loud"], "debug"],
    [["serve", "--allow-origin", "example.com"], "scheme://host"],
    [["serve", "--max-message-bytes", "0"], "whole number"],
    [["serve", "--tls-cert", "x.pem"], "--tls-key"],
    [["serve", "extra"], "argument"],
    [["sevre"], "serve"],
  ])("%j is a usage error that names the remedy, and exits with 2", async (parameters, remedy) => {
    const { exitCode, stdout, stderr } = await startProcess(parameters).ended;
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error: .*\n(?:\(Did you mean .*\n)?$/);
    expect(stderr).toContain(remedy);
  });

  test("a wrong value in the environment is a usage error that names the variable", async () => {
    const { exitCode, stderr } = await startProcess(["serve"], { WASMEXT_PORT: "eighty" }).ended;
    expect(exitCode).toBe(2);
    expect(stderr).toContain("WASMEXT_PORT");
  });

  test("an empty variable says nothing, and an empty host is a usage error", async () => {
    const { child, firstLine, ended } = startProcess(["serve", "--port", "0"], {
      WASMEXT_HOST: "",
      WASMEXT_ALLOW_ORIGIN: "",
      WASMEXT_LOG_LEVEL: "",
    });
    expect(await firstLine).toContain("http://127.0.0.1:");
    child.kill();
    await ended;
    expect((await startProcess(["serve", "--host", ""]).ended).exitCode).toBe(2);
  });

  test("goes on when nobody reads its output any more", async () => {
    const { child, firstLine } = startProcess(["serve", "--port", "0"]);
    const url = (await firstLine).split(" ").at(-1) ?? "";
    const exit = once(child, "exit");
    child.stdout?.destroy();
    child.stderr?.destroy();
    for (let call = 0; call < 3; call++) {
      expect((await fetch(`${url}/nothing-here`)).status).toBe(404);
    }
    child.kill();
    expect(await exit).toEqual([0, null]);
  });

  test("a taken port is one line and exit code 1", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { exitCode, stderr } = await startProcess(["serve", "--port", String(port)]).ended;
    expect(exitCode).toBe(1);
    expect(stderr.trim().split("\n")).toEqual([
      `error: port ${port} on 127.0.0.1 is taken; choose another with --port, or 0 for any free one`,
    ]);
    other.close();
  });

  test("TLS files that cannot be read, or are no pair, are one line and exit code 1", async () => {
    for (const file of ["/does/not/exist.pem", new URL(import.meta.url).pathname]) {
      const tls = ["--tls-cert", file, "--tls-key", file];
      const { exitCode, stderr } = await startProcess(["serve", "--port", "0", ...tls]).ended;
      expect(exitCode).toBe(1);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(stderr).toMatch(/TLS|--tls-/);
    }
  });

  test("--help teaches by example, on stdout", async () => {
    const { exitCode, stdout } = await startProcess(["serve", "--help"]).ended;
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Examples:");
    expect(stdout).toContain("WASMEXT_PORT");
  });
});
