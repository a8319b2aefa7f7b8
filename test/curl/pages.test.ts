/* The commands and programs of the README and of the pages in docs, run as they are printed. */
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { pagePaths, type Snippet, snippetsOf } from "../support/markdown.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import {
  isAfterServer,
  isServer,
  type PageServer,
  runSnippet,
  startPageServer,
} from "./run-snippet.ts";

const root = new URL("../../", import.meta.url).pathname;

/** The pages whose snippets need more than these tests have, and the tests that hold them. */
const elsewhere: ReadonlyMap<string, string> = new Map([
  ["docs/access.md", "test/curl/access.test.ts"],
  ["docs/clients.md", "test/clients-generated/clients.test.ts"],
  ["docs/develop.md", "test/docs/develop.test.ts"],
  ["docs/envoy.md", "test/envoy/page.test.ts"],
  ["docs/limits.md", "test/docs/limits.test.ts"],
  ["docs/modules.md", "test/docs/tables.test.ts"],
  ["docs/performance.md", "test/docs/performance.test.ts"],
  ["docs/stores-etcd.md", "test/etcd/page.test.ts"],
]);

const pages = pagePaths().filter((page) => !elsewhere.has(page));

describe("the documentation", () => {
  test.each(pages)("%s has snippets that are run", (page) => {
    expect(snippetsOf(page)).not.toHaveLength(0);
  });

  test.each([...elsewhere])("%s is held by %s", (page, file) => {
    expect(existsSync(`${root}${page}`)).toBe(true);
    expect(readFileSync(`${root}${file}`, "utf8")).toContain(page);
  });
});

describe.each(pages)("%s", async (page) => {
  let server: RunningServer;
  let folder: string;
  /** Those that snippets have started. */
  const started: PageServer[] = [];
  const stopStarted = async (): Promise<void> => {
    await Promise.all(started.splice(0).map((each) => each.stop()));
  };
  const onPage = snippetsOf(page);
  const portOfPage = onPage.some(isServer) ? await freePort() : 0;
  const snippets = onPage.map((snippet) => onPort(snippet, portOfPage));

  beforeAll(async () => {
    server = await startServer({ host: "localhost" });
    folder = mkdtempSync(`${root}.readme-`);
    if (page !== "README.md") {
      await takeTour();
    }
  });
  afterAll(async () => {
    await stopStarted();
    rmSync(folder, { recursive: true });
    await server.close();
  });

  test.each(snippets)("$language in line $line: $code", async (snippet) => {
    if (isServer(snippet)) {
      started.push(await startPageServer(snippet, { folder }));
      return;
    }
    if (isAfterServer(snippet)) {
      await stopStarted();
    }
    const printed = await runSnippet(snippet, { port: server.port, folder });
    expectPrinted(printed, snippet);
  });

  /** Every page but the README begins with the files and the objects of its tour. */
  async function takeTour(): Promise<void> {
    const files = snippetsOf("README.md").flatMap(({ code }) => [
      ...code.matchAll(/^cat > (\S+) <<'EOF'\n(.*?)^EOF$/gms),
    ]);
    for (const [, name = "", text = ""] of files) {
      writeFileSync(`${folder}/${name}`, text);
    }
    const url = `http://localhost:${server.port}`;
    const { exitCode, stderr } = await runCli(["apply", "-f", folder, "--server", url]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  }
});

/** A snippet with another port than that of the page. */
function onPort(snippet: Snippet, port: number): Snippet {
  const moved = (text: string): string =>
    text.replaceAll(/(?<=localhost:|127.0.0.1:|--port )9000/g, String(port));
  const { code, output } = snippet;
  return { ...snippet, code: moved(code), output: { ...output, code: moved(output.code) } };
}

/** A port of loopback that nobody uses now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function expectPrinted(printed: string, { output }: Snippet): void {
  if (output.language === "json") {
    expect(comparable(printed)).toEqual(comparable(output.code));
  } else {
    expect(printed).toBe(output.code);
  }
}

/** JSON with the values left out that differ from one run to the next. */
function comparable(json: string): unknown {
  const volatile = ["etag", "incarnation", "nextPageToken"];
  return JSON.parse(json, (key, value: unknown) => (volatile.includes(key) ? key : value));
}
