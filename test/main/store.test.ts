/* `wasmext serve --store`, as a process. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getuid } from "node:process";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { type RunningProcess, startProcess } from "../support/process.ts";

/** For tests that start several processes, one after the other. */
const severalStarts = { timeout: 60_000 };

const parent = "organizations/acme";
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wasmext-store-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const serve = (store: string): RunningProcess =>
  startProcess(["serve", "--port", "0", "--store", store], {}, "", { cwd: folder });

async function clientOf({ firstLine }: RunningProcess) {
  const baseUrl = (await firstLine).split(" ").at(-1) ?? "";
  return createClient(WasmExtensions, createGrpcTransport({ baseUrl }));
}

async function stop({ child, ended }: RunningProcess, signal: NodeJS.Signals = "SIGTERM") {
  child.kill(signal);
  return ended;
}

/** The one line that a server ends with that cannot use its store. */
async function refusalOf({ ended }: RunningProcess): Promise<string> {
  const { exitCode, stdout, stderr } = await ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(stderr).toMatch(/^error: .*\n$/);
  return stderr;
}

const wasmExtension = { url: "oci://x" };

test(
  "what was written is there after a restart, in a file of the working directory",
  severalStarts,
  async () => {
    const first = serve("sqlite:catalog.db");
    const { fqn } = await (
      await clientOf(first)
    ).createWasmExtension({ parent, name: "a", wasmExtension });
    expect(await stop(first)).toMatchObject({ exitCode: 0 });
    expect(readdirSync(folder)).toEqual(["catalog.db"]);
    const environment = { WASMEXT_STORE: "sqlite:./catalog.db", WASMEXT_PORT: "0" };
    const second = startProcess(["serve"], environment, "", { cwd: folder });
    expect((await (await clientOf(second)).getWasmExtension({ fqn })).fqn).toBe(fqn);
    const { stderr } = await stop(second);
    expect(stderr).not.toContain("--store");
  },
);

test(
  "a server that was killed leaves a file that the next one goes on with",
  severalStarts,
  async () => {
    const first = serve("sqlite:catalog.db");
    const { fqn } = await (
      await clientOf(first)
    ).createWasmExtension({ parent, name: "a", wasmExtension });
    await stop(first, "SIGKILL");
    const second = serve("sqlite:catalog.db");
    expect((await (await clientOf(second)).getWasmExtension({ fqn })).fqn).toBe(fqn);
    // Whoever comes while it runs is refused, and it goes on.
    expect(await refusalOf(serve("sqlite:catalog.db"))).toMatch(
      /^error: \S+catalog\.db is in use by another server; /,
    );
    await (await clientOf(second)).createWasmExtension({ parent, name: "b", wasmExtension });
    await stop(second);
  },
);

test("the store in memory says that nothing lasts, and how to make it last", async () => {
  const server = startProcess(["serve", "--port", "0"]);
  const line = await server.firstLine;
  const { stdout, stderr } = await stop(server);
  expect(stdout).toBe(`${line}\n`);
  expect(stderr.split("\n").filter((each) => each.includes("--store"))).toEqual([
    expect.stringContaining("--store sqlite:catalog.db"),
  ]);
});

describe("one line and exit code 1, for", () => {
  test("a file of something else, which stays as it is", async () => {
    writeFileSync(join(folder, "notes.txt"), "some notes\n".repeat(100));
    expect(await refusalOf(serve("sqlite:notes.txt"))).toContain("is not a SQLite database");
    expect(readdirSync(folder)).toEqual(["notes.txt"]);
  });

  test("a folder that does not exist", async () => {
    expect(await refusalOf(serve("sqlite:none/catalog.db"))).toContain("does not exist");
    expect(existsSync(join(folder, "none"))).toBe(false);
  });

  test("a device", async () => {
    expect(await refusalOf(serve("sqlite:/dev/null"))).toContain("/dev/null is not a file");
  });

  // Root may write everywhere, so this is another user then.
  const user = getuid?.() === 0 ? { uid: 65534 } : {};

  test("a folder that is read-only", async () => {
    const path = join(folder, "read-only");
    mkdirSync(path, { mode: 0o555 });
    chmodSync(folder, 0o755);
    const store = ["serve", "--port", "0", "--store", `sqlite:${path}/catalog.db`];
    expect(await refusalOf(startProcess(store, {}, "", user))).toContain(
      "is read-only for this user; the server needs to write the file and its folder",
    );
  });

  test("a file that is read-only, which stays as it is", async () => {
    const path = join(folder, "catalog.db");
    await stop(await ready(serve(`sqlite:${path}`)));
    chmodSync(folder, 0o777);
    chmodSync(path, 0o444);
    const store = ["serve", "--port", "0", "--store", `sqlite:${path}`];
    expect(await refusalOf(startProcess(store, {}, "", user))).toContain(
      "is read-only for this user; the server needs to write the file and its folder",
    );
    expect(readdirSync(folder)).toEqual(["catalog.db"]);
  });

  test("a port that is taken, after which the file is free", async () => {
    const first = await ready(serve("memory"));
    const port = (await first.firstLine).split(":").at(-1) ?? "";
    const parameters = ["serve", "--port", port, "--store", "sqlite:catalog.db"];
    const second = startProcess(parameters, {}, "", { cwd: folder });
    expect(await refusalOf(second)).toContain(`port ${port}`);
    expect(readdirSync(folder)).toEqual(["catalog.db"]);
    await stop(first);
  });
});

async function ready(server: RunningProcess): Promise<RunningProcess> {
  await server.firstLine;
  return server;
}
