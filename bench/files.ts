/*
 * What large files cost the command line: `apply --dry-run` of many documents, and of one with a million
 * keys, which is refused. Each figure is of a process of its own.
 *
 * Usage: node bench/files.ts [documents, by default 10,000]
 * WASMEXT_ROOT names another checkout, which is measured first.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkouts } from "./checkouts.ts";
import { print } from "./measure.ts";
import { startServerProcess } from "./server-process.ts";

const documents = Number(process.argv[2] ?? 10_000);

/** After how long a command is ended, in ms. */
const patienceMs = 70_000;

/** Makes a process print what it took when it ends: its processor time in s, and its memory in MB. */
const report = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from "node:fs";
  process.on("exit", () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    writeSync(3, JSON.stringify([(userCPUTime + systemCPUTime) / 1e6, maxRSS / 1024]));
  });
`)}`;

const folder = mkdtempSync(join(tmpdir(), "wasmext-bench-"));
try {
  for (const count of [documents / 4, documents]) {
    const file = join(folder, `${count}.yaml`);
    writeFileSync(file, Array.from({ length: count }, (_, index) => documentOf(index)).join(""));
    await measure(`${count} documents`, file);
  }
  const file = join(folder, "keys.yaml");
  const keys = Array.from({ length: 1_000_000 }, (_, index) => `    k${index}: ${index}\n`);
  writeFileSync(file, `${documentOf(0)}${keys.join("")}`);
  await measure("one document of 1,000,000 keys", file);
} finally {
  rmSync(folder, { recursive: true });
}

async function measure(what: string, file: string): Promise<void> {
  for (const { root, label } of checkouts()) {
    const server = await startServerProcess(root);
    const args = ["--import", report, `${root}/src/main.ts`, "apply", "--dry-run", "-f", file];
    const child = spawn(process.execPath, [...args, "--server", server.url], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    let text = "";
    child.stdio[3]?.on("data", (chunk: Buffer) => (text += String(chunk)));
    const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    const startedAt = performance.now();
    const [code] = (await once(child, "close")) as [number | null];
    clearTimeout(timer);
    const seconds = (performance.now() - startedAt) / 1000;
    const [processor = NaN, megabytes = NaN] =
      text === "" ? [] : (JSON.parse(text) as readonly number[]);
    print(
      `${label}${what}`,
      code === null
        ? `no end in ${seconds.toFixed(0)} s`
        : `${seconds.toFixed(1)} s, ${processor.toFixed(1)} s of processor time, ${megabytes.toFixed(0)} MB, exit code ${code}`,
    );
    await server.stop();
  }
}

function documentOf(index: number): string {
  return `---
apiVersion: extension.tsb.tetrate.io/v2
kind: WasmExtension
metadata:
  organization: acme
  name: e${index}
spec:
  url: oci://registry.example.com/plugins/e${index}:1.0
  phase: AUTHN
  priority: ${index % 1000}
  allowedIn:
    - organizations/acme/tenants/t1
  config:
    a: 1
    b: text
`;
}
