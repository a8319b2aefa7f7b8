/* The commands of docs/stores-etcd.md, run as they are printed but for ports. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readPage } from "../support/markdown.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "./support/free-ports.ts";

const root = new URL("../../", import.meta.url).pathname;
const run = promisify(execFile);

/** Each block of commands, and the block of text below it. */
function blocksOf(page: string): { readonly code: string; readonly output: string }[] {
  return [...page.matchAll(/^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?/gms)].map(
    ([, code = "", output = ""]) => ({ code, output }),
  );
}

test("two servers behind one etcd run as docs/stores-etcd.md says", async () => {
  const [client = 0, peer = 0, first = 0, second = 0] = await freePorts(4);
  const folder = mkdtempSync(`${root}.readme-`);
  const children: ChildProcess[] = [];
  const onPorts = (text: string): string =>
    text
      .replace(/2379/g, String(client))
      .replace(/\b8080\b/g, String(first))
      .replace(/\b8081\b/g, String(second))
      .replace(
        "etcd --data-dir",
        `etcd --listen-client-urls http://127.0.0.1:${client} --advertise-client-urls http://127.0.0.1:${client} --listen-peer-urls http://127.0.0.1:${peer} --data-dir`,
      );
  try {
    for (const { code, output } of blocksOf(readPage("docs/stores-etcd.md"))) {
      if (code.startsWith("# After a restore")) {
        // Needs etcdctl, and is in large.test.ts by another client.
        continue;
      }
      const command = onPorts(code);
      if (!command.startsWith("# Goes on until Ctrl-C.\n")) {
        const { stdout } = await run("bash", ["-euc", command], { cwd: folder });
        expect(stdout).toBe(output);
        continue;
      }
      const [, endless = ""] = command.split("Ctrl-C.\n");
      const child = spawn("bash", ["-euc", `exec ${endless}`], {
        cwd: folder,
        detached: true,
        stdio: "ignore",
      });
      children.push(child);
      const port = /--port (\d+)/.exec(command)?.[1] ?? client;
      const path = endless.startsWith("etcd") ? "health" : "readyz";
      await eventually(`an answer of ${endless}`, async () =>
        fetch(`http://127.0.0.1:${port}/${path}`).then(
          ({ ok }) => ok || undefined,
          () => undefined,
        ),
      );
    }
  } finally {
    for (const child of children.reverse()) {
      const exit = once(child, "exit");
      process.kill(-(child.pid ?? 0), "SIGINT");
      await exit;
    }
    rmSync(folder, { recursive: true });
  }
});
