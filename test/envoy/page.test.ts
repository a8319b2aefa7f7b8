/* The commands of docs/envoy.md, run as they are printed but for ports. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import wabt from "wabt";
import { expect, inject, test } from "vitest";
import { freePorts } from "../etcd/support/free-ports.ts";
import { eventually } from "../support/eventually.ts";
import { readPage } from "../support/markdown.ts";

const root = new URL("../../", import.meta.url).pathname;
const run = promisify(execFile);
const page = readPage("docs/envoy.md");
const endlessMark = "# Goes on until Ctrl-C.\n";

/** Each block of commands, and the block of text below it. */
function blocks(): { readonly code: string; readonly output: string }[] {
  return [...page.matchAll(/^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?/gms)].map(
    ([, code = "", output = ""]) => ({ code, output }),
  );
}

/** What was printed, but for the ends of lines of HTTP and for npm. */
function withoutWarnings(printed: string): string {
  return printed.replaceAll("\r", "").replaceAll(/^npm warn .*\n/gm, "");
}

test("a response is changed by a module as docs/envoy.md says", async () => {
  const [server = 0, files = 0, listener = 0, admin = 0] = await freePorts(4);
  const folder = mkdtempSync(`${root}.readme-`);
  const children: ChildProcess[] = [];
  const env = {
    ...process.env,
    PATH: `${dirname(inject("envoyTools").envoy)}:${process.env["PATH"] ?? ""}`,
    WASMEXT_SERVER: `http://localhost:${server}`,
    WASMEXT_MODULE_CACHE: `${folder}/cache`,
  };
  const ports = `--listen 127.0.0.1:${listener} --admin 127.0.0.1:${admin}`;
  const onPorts = (text: string): string =>
    text
      .replaceAll("8081", String(files))
      .replaceAll("127.0.0.1:10000", `127.0.0.1:${listener}`)
      .replace("wasmext serve", `wasmext serve --port ${server}`)
      .replace("-c envoy.yaml", "-c envoy.yaml --disable-hot-restart")
      .replace("envoy bootstrap", `envoy bootstrap ${ports}`);
  /** Where each endless command answers when it is ready. */
  const answers = new Map([
    ["python3", `http://127.0.0.1:${files}/hello.wasm`],
    ["npx", `http://127.0.0.1:${server}/readyz`],
    ["envoy", `http://127.0.0.1:${admin}/ready`],
  ]);
  const start = async (command: string): Promise<void> => {
    const options = { cwd: folder, env, detached: true, stdio: "ignore" } as const;
    children.push(spawn("bash", ["-euc", `exec ${command}`], options));
    const [name = ""] = command.split(" ");
    await eventually(`an answer of ${command}`, async () =>
      fetch(answers.get(name) ?? "").then(
        ({ ok }) => ok || undefined,
        () => undefined,
      ),
    );
  };
  try {
    for (const { code, output } of blocks()) {
      const command = onPorts(code);
      if (command.startsWith(endlessMark)) {
        await start(command.slice(endlessMark.length));
        continue;
      }
      const { stdout } = await run("bash", ["-euc", command], { cwd: folder, env });
      expect(withoutWarnings(stdout)).toBe(onPorts(output));
    }
  } finally {
    for (const child of children.reverse()) {
      if (child.exitCode === null && child.pid !== undefined) {
        const exit = once(child, "exit");
        process.kill(-child.pid, "SIGINT");
        await exit;
      }
    }
    rmSync(folder, { recursive: true });
  }
});

test("the module of docs/envoy.md is docs/hello.wat", async () => {
  const [, printed = ""] = /base64 -d > hello\.wasm <<'EOF'\n(.*?)^EOF$/ms.exec(page) ?? [];
  const toolkit = await wabt();
  const module = toolkit.parseWat("hello.wat", readFileSync(`${root}docs/hello.wat`, "utf8"));
  const assembled = Buffer.from(module.toBinary({}).buffer);
  module.destroy();
  expect(Buffer.from(printed, "base64")).toEqual(assembled);
});
