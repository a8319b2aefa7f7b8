/* The commands and programs of the README, run as they are printed, against a server of this test. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";

const root = new URL("../../", import.meta.url).pathname;
const run = promisify(execFile);

/** A fenced block of the README, and the block of expected output that follows it, if one does. */
interface Snippet {
  readonly language: string;
  readonly code: string;
  readonly output: { readonly language: string; readonly code: string } | undefined;
}

function snippetsOf(markdown: string): Snippet[] {
  const blocks = [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? "",
    code: match[2] ?? "",
  }));
  return blocks.flatMap(({ language, code }, index) => {
    const next = blocks[index + 1];
    const isOutput = next !== undefined && ["json", "yaml", "text"].includes(next.language);
    const output = isOutput ? next : undefined;
    return ["sh", "ts"].includes(language) ? [{ language, code, output }] : [];
  });
}

/** What a command printed. */
interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** JSON with the values left out that differ from one run to the next. */
function comparable(json: string): unknown {
  return JSON.parse(json, (key, value: unknown) =>
    ["etag", "incarnation"].includes(key) ? key : value,
  );
}

describe("README", () => {
  const snippets = snippetsOf(readFileSync(`${root}README.md`, "utf8"));
  let server: RunningServer;
  let scratch: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    server = await startServer({ host: "localhost" });
    scratch = mkdtempSync(`${root}.readme-`);
    env = { ...process.env, WASMEXT_SERVER: `http://localhost:${server.port}` };
  });
  afterAll(async () => {
    rmSync(scratch, { recursive: true });
    await server.close();
  });

  test("has commands and programs", () => {
    expect(snippets.filter(({ language }) => language === "sh").length).toBeGreaterThan(4);
    expect(snippets.filter(({ language }) => language === "ts").length).toBeGreaterThan(1);
  });

  test.each(snippets)("$language: $code", async ({ language, code, output }) => {
    const here = code.replaceAll("localhost:8080", `localhost:${server.port}`);
    if (language === "ts") {
      const { stdout } = await runProgram(code, here);
      expect(stdout).toContain("organizations/org/extensions/wasm-auth");
      return;
    }
    const { stdout, stderr } = code.startsWith("# Goes on until Ctrl-C.")
      ? await outputUntil("bash", ["-euc", `exec ${here.replace(/^#.*\n/, "")}`], /^\}$/m)
      : await run("bash", ["-euc", here], { cwd: scratch, env });
    if (output === undefined) {
      expect(stdout).toMatch(/^\{/);
      expect(stdout).not.toContain(`"code":`);
    } else if (output.language === "json") {
      expect(comparable(stdout)).toEqual(comparable(output.code));
    } else {
      expect(stderr.replace(/^npm warn .*\n/gm, "") + stdout).toBe(output.code);
    }
  });

  function runProgram(code: string, here: string): Promise<Output> {
    const file = `${scratch}/program-${snippets.findIndex((snippet) => snippet.code === code)}.ts`;
    writeFileSync(file, here.replaceAll("./gen/", "../gen/"));
    // A client keeps its connection open for more calls, so the program is ended after its output.
    return outputUntil(process.execPath, [file], /\]/);
  }

  /** Runs a program until it has printed something, and interrupts it as Ctrl-C does. */
  async function outputUntil(file: string, parameters: string[], end: RegExp): Promise<Output> {
    // A group of its own, as a shell gives to each command: Ctrl-C reaches all of it.
    const child = spawn(file, parameters, { cwd: root, detached: true });
    const timer = setTimeout(interrupt, 20_000);
    let [stdout, stderr] = ["", ""];
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      if (end.test(stdout)) {
        interrupt();
      }
    });
    await once(child, "close");
    clearTimeout(timer);
    if (!end.test(stdout)) {
      throw new Error(`${file} ended before it printed ${end.source}: ${stdout}${stderr}`);
    }
    return { stdout, stderr };

    function interrupt(): void {
      if (child.pid !== undefined && child.exitCode === null) {
        process.kill(-child.pid, "SIGINT");
      }
    }
  }
});
