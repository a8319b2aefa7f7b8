/*
 * A disk that is full while a server runs, and when one starts: a file system of 1 MiB, which only a
 * process with a mount namespace of its own can have.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { reasonOf } from "../../src/cli/failure.ts";
import { type RunningProcess, startProcess } from "../support/process.ts";
import { acme } from "./load.ts";

const mount = 'mount -t tmpfs -o size=1m none "$0" && cd "$0" && exec "$@"';
const canMount = spawnSync("unshare", ["-m", "sh", "-c", mount, tmpdir(), "true"]).status === 0;
const wasmExtension = { url: "oci://x", description: "x".repeat(2_000) };

describe.skipIf(!canMount)("a full disk", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "wasmext-full-"));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  /** Starts a server in a file system of its own, after a command there. */
  const serve = (before: string): RunningProcess =>
    startProcess(["serve", "--port", "0", "--store", "sqlite:catalog.db"], {}, "", {
      wrapper: [
        "unshare",
        "-m",
        "sh",
        "-c",
        mount,
        folder,
        "sh",
        "-c",
        `${before}; exec "$0" "$@"`,
      ],
    });

  test("while a server runs: writes are refused, reads go on, and writes go on with the disk", async () => {
    const { child, firstLine, ended } = serve("true");
    const baseUrl = (await firstLine).split(" ").at(-1) ?? "";
    const client = createClient(WasmExtensions, createGrpcTransport({ baseUrl }));
    const disk = `/proc/${child.pid ?? 0}/cwd`;
    const create = (name: string) =>
      client.createWasmExtension({ parent: acme, name, wasmExtension });
    await create("first");

    const filler = join(disk, "filler");
    fillUp(filler);
    let written = 0;
    const refusal = await (async (): Promise<ConnectError> => {
      for (;;) {
        try {
          await create(`e${written}`);
          written++;
        } catch (error) {
          return ConnectError.from(error);
        }
      }
    })();
    expect(refusal.code).toBe(Code.Unavailable);
    expect(reasonOf(refusal)).toBe("COMMIT_NOT_STORED");
    expect(refusal.rawMessage).toContain("the disk of the catalog is full");
    const { extensions } = await client.listWasmExtension({ parent: acme });
    expect(extensions).toHaveLength(written + 1);
    expect((await fetch(`${baseUrl}/readyz`)).status).toBe(200);

    rmSync(filler);
    await create("again");
    await create(`e${written}`);
    const before = await client.listWasmExtension({ parent: acme });
    expect(before.extensions).toHaveLength(written + 3);
    child.kill("SIGTERM");
    const { exitCode, stderr } = await ended;
    expect(exitCode).toBe(0);
    const lines = stderr
      .split("\n")
      .filter((line) => /commits (?:cannot be|are) stored/.test(line));
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain("full");
  });

  test("when a server starts: one line, and exit code 1", async () => {
    const { ended } = serve("cat /dev/zero > filler 2> /dev/null");
    const { exitCode, stdout, stderr } = await ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(/^error: \S+catalog\.db cannot be opened, because the disk .*\n$/);
  });
});

/** Leaves no room on a disk. */
function fillUp(path: string): void {
  writeFileSync(path, "");
  for (const size of [65_536, 4_096]) {
    try {
      for (;;) {
        writeFileSync(path, Buffer.alloc(size), { flag: "a" });
      }
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
    }
  }
  expect(statSync(path).size).toBeGreaterThan(0);
}
