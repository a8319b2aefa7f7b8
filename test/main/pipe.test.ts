import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { createAcme, acme, ext } from "../support/acme.ts";
import { startProcess } from "../support/process.ts";
import { seedAuth, seedHttp, seedHttpFqn, seedOci } from "../support/seed.ts";
import { folderOf } from "../support/cli.ts";
import { cert, key } from "../support/tls.testdata.ts";
import { startServer } from "../support/server.ts";
import { storedExtensions } from "../support/stored.ts";

describe("in a pipe", () => {
  test("there is no colour and no progress, and the server comes from the environment", async () => {
    await using server = await startServer();
    const environment = { WASMEXT_SERVER: server.url };
    const input = `${seedOci}---\n${seedHttp}---\nkind: x\n`;
    const bad = await startProcess(["apply", "-f", "-"], environment, input).ended;
    expect(bad).toMatchObject({ exitCode: 1, stdout: "" });
    expect(bad.stderr).toMatch(/^error: stdin:35:7: kind: "x" is not known; [^\u001b\r]*\n$/);
    const good = await startProcess(["apply", "-f", "-"], environment, input.slice(0, -8)).ended;
    expect(good).toEqual({
      exitCode: 0,
      signal: null,
      stdout: `${seedAuth} created\n${seedHttpFqn} created\n2 created\n`,
      stderr: "",
    });
  });

  test("a server with TLS is reached with its authority in NODE_EXTRA_CA_CERTS, and not without", async () => {
    await using server = await startServer({ tls: { cert, key } });
    using folder = folderOf({ "ca.pem": cert });
    const parameters = ["list", acme, "--server", server.url, "-o", "json"];
    const trusting = { NODE_EXTRA_CA_CERTS: `${folder.path}/ca.pem` };
    expect(await startProcess(parameters, trusting).ended).toMatchObject({
      exitCode: 0,
      stdout: "[]\n",
    });
    const { exitCode, stderr } = await startProcess(parameters).ended;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: cannot reach https:.*certificate.*\n$/);
  });

  test("watch ends quietly on SIGINT", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    await using server = await startServer({ catalog: catalog });
    const { child, firstLine, ended } = startProcess(["watch", acme, "--server", server.url]);
    expect(await firstLine).toContain(ext("a"));
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ exitCode: null, signal: "SIGINT", stderr: "" });
  });

  test("watch ends quietly when nobody reads any more", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    await using server = await startServer({ catalog: catalog });
    const { child, firstLine, ended } = startProcess(["watch", acme, "--server", server.url]);
    await firstLine;
    child.stdout?.destroy();
    const exit = once(child, "exit");
    // The first write that nobody reads tells the watch.
    await catalog.put("b");
    await catalog.put("c");
    expect(await exit).toEqual([0, null]);
    expect((await ended).stderr).toBe("");
  });

  test("apply does all its work, also when nobody reads what it says", async () => {
    await using server = await startServer();
    const objects = Array.from({ length: 50 }, (_, index) =>
      seedHttp.replace("wasm-http", `x${index}`),
    );
    const { child, ended } = startProcess(
      ["apply", "-f", "-", "--server", server.url],
      {},
      objects.join("---\n"),
    );
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ exitCode: 0, stderr: "" });
    expect(storedExtensions(server.reader).size).toBe(50);
  });

  test.skipIf(!existsSync("/dev/full"))(
    "output that is lost on a full disk is a failure",
    async () => {
      await using server = await startServer();
      await startProcess(["apply", "-f", "-", "--server", server.url], {}, seedOci).ended;
      const full = openSync("/dev/full", "w");
      const parameters = ["export", "yaml", "organizations/org", "--server", server.url];
      const child = spawn(process.execPath, ["src/main.ts", ...parameters], {
        stdio: ["ignore", full, "pipe"],
      });
      closeSync(full);
      const stderr = text(child.stderr ?? Readable.from([]));
      expect(await once(child, "exit")).toEqual([1, null]);
      expect(await stderr).toMatch(/^error: cannot write to standard output: ENOSPC.*\n$/);
    },
  );

  test("a long list is written to its end", async () => {
    const catalog = createAcme();
    for (let index = 0; index < 2000; index++) {
      await catalog.put(`x${index}`);
    }
    await using server = await startServer({ catalog: catalog });
    const { stdout, exitCode } = await startProcess(["list", acme, "--server", server.url]).ended;
    expect(exitCode).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(2001);
  });
});
