/* The commands and programs of the README, run as they are printed, against a server of this test. */
import { execFile } from "node:child_process";
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
  readonly output: string | undefined;
}

function snippetsOf(markdown: string): Snippet[] {
  const blocks = [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? "",
    code: match[2] ?? "",
  }));
  return blocks.flatMap(({ language, code }, index) => {
    const next = blocks[index + 1];
    const output = next?.language === "json" ? next.code : undefined;
    return ["sh", "ts"].includes(language) ? [{ language, code, output }] : [];
  });
}

/** JSON with the values left out that differ from one run to the next. */
function comparable(json: string): unknown {
  return JSON.parse(json, (key, value: unknown) => (key === "etag" ? "etag" : value));
}

describe("README", () => {
  const snippets = snippetsOf(readFileSync(`${root}README.md`, "utf8"));
  let server: RunningServer;
  let scratch: string;

  beforeAll(async () => {
    server = await startServer({ host: "localhost" });
    scratch = mkdtempSync(`${root}.readme-`);
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
    const { stdout } =
      language === "sh" ? await run("bash", ["-euc", here], { cwd: root }) : await runProgram(here);
    if (output !== undefined) {
      expect(comparable(stdout)).toEqual(comparable(output));
    } else if (language === "sh") {
      expect(JSON.parse(stdout)).not.toHaveProperty("code");
    } else {
      expect(stdout).toContain("organizations/org/extensions/wasm-auth");
    }
  });

  async function runProgram(code: string): Promise<{ stdout: string }> {
    const file = `${scratch}/program-${snippets.findIndex((snippet) => snippet.code === code)}.ts`;
    writeFileSync(file, code.replaceAll("./gen/", "../gen/"));
    // A client keeps its connection open for more calls, so the program is ended after its output.
    const child = run(process.execPath, [file], { cwd: root, timeout: 20_000 });
    let stdout = "";
    const printed = Promise.withResolvers<undefined>();
    child.child.stdout?.on("data", (chunk: string) => {
      stdout += chunk;
      if (stdout.includes("]")) {
        printed.resolve(undefined);
        child.child.kill();
      }
    });
    await Promise.race([printed.promise, child.catch(() => undefined)]);
    return { stdout };
  }
});
