import { once } from "node:events";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { clone, create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { WasmExtensionSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  CreateWasmExtensionRequestSchema as CreateSchema,
  DeleteWasmExtensionRequestSchema as DeleteSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import {
  createExtension,
  deleteExtension,
  updateExtension,
} from "../../src/catalog/writes/extension-writes.ts";
import type { Plan } from "../../src/catalog/writes/plan.ts";
import { findExtension, type State } from "../../src/catalog/state/state.ts";
import { createStore } from "../../src/catalog/store.ts";
import { openMemoryJournal } from "../support/journal.ts";
import { folderOf, type Ran, runCli } from "../support/cli.ts";
import {
  seedAttachments,
  seedAuth,
  seedGateway,
  seedHttp,
  seedHttpFqn,
  seedOci,
} from "../support/seed.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { storedExtensions } from "../support/stored.ts";

function apply(server: RunningServer, input: string, ...more: string[]): Promise<Ran> {
  return runCli(["apply", "-f", "-", "--server", server.url, ...more], { input });
}

/** Someone gives the first example another priority. */
function someoneUpdates(state: State): Plan<unknown> {
  const current = findExtension(state, seedAuth)?.message ?? create(WasmExtensionSchema);
  return updateExtension(clone(WasmExtensionSchema, { ...current, priority: 7 }));
}

/** What someone else makes of the second example. */
const someonesHttp = {
  parent: "organizations/org",
  name: "wasm-http",
  wasmExtension: { url: "oci://x", priority: 5 },
};

/** An extension of the organization `org`, with fields of its spec. */
function extension(name: string, ...fields: string[]): string {
  const lines = ["url: oci://ghcr.io/acme/x:1", ...fields].map((field) => `  ${field}\n`);
  return `apiVersion: extension.tsb.tetrate.io/v2\nkind: WasmExtension\nmetadata: {organization: org, name: ${name}}\nspec:\n${lines.join("")}`;
}

const done = (stdout: string): Ran => ({ exitCode: 0, stdout, stderr: "" });

describe("apply", () => {
  test("creates, then leaves unchanged, then configures", async () => {
    await using server = await startServer();
    const text = `${seedOci}---\n${seedHttp}`;
    expect(await apply(server, text)).toEqual(
      done(`${seedAuth} created\n${seedHttpFqn} created\n2 created\n`),
    );
    expect(await apply(server, text)).toEqual(
      done(`${seedAuth} unchanged\n${seedHttpFqn} unchanged\n2 unchanged\n`),
    );
    const other = text.replace("AUTHZ", "AUTHN");
    expect(await apply(server, other)).toEqual(
      done(`${seedAuth} configured\n${seedHttpFqn} unchanged\n1 configured, 1 unchanged\n`),
    );
  });

  test("takes back unchanged what list and export yaml print of the examples", async () => {
    await using server = await startServer();
    await apply(server, `${seedOci}---\n${seedHttp}---\n${seedAttachments}`);
    for (const command of [
      ["export", "yaml"],
      ["list", "-o", "yaml"],
    ]) {
      const written = await runCli([...command, "organizations/org", "--server", server.url]);
      expect(written).toEqual(done(`${seedOci}---\n${seedHttp}---\n${seedAttachments}`));
      expect((await apply(server, written.stdout)).stdout).toContain("\n3 unchanged\n");
    }
  });

  test("takes back unchanged what get, list and export print, in every format", async () => {
    await using server = await startServer();
    const config = '{"a": 1e-7, "b": 1e21, "c": "yes", "<<": [0.5, null], "": "\\u2028 1:30"}';
    const input = `${seedOci.replace("config:\n    some_key: some_value", `config: ${config.replace("1e-7", "1.0e-7").replace("1e21", "1.0e+21")}`)}---\n${seedHttp}---\n${seedAttachments}`;
    expect((await apply(server, input)).stdout).toContain("\n3 created\n");
    for (const [command, count] of [
      [["get", seedAuth, "-o", "json"], 1],
      [["get", seedAuth, "-o", "yaml"], 1],
      [["get", seedAuth, seedGateway, "-o", "json"], 2],
      [["list", "organizations/org", "-o", "json"], 3],
      [["list", "organizations/org", "-o", "yaml"], 3],
      [["export", "yaml", "organizations/org"], 3],
    ] as const) {
      const { stdout } = await runCli([...command, "--server", server.url]);
      const applied = await apply(server, stdout);
      expect(applied.stderr).toBe("");
      expect(applied.stdout).toContain(`${count} unchanged\n`);
      if (stdout.startsWith("[")) {
        const items = JSON.parse(stdout) as object[];
        const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
        const lines = items.map((item) => JSON.stringify(item)).join("\n");
        expect((await apply(server, list)).stdout).toContain(`${count} unchanged\n`);
        expect((await apply(server, lines)).stdout).toContain(`${count} unchanged\n`);
      }
    }
  });

  test("names a thousand problems at most", async () => {
    const lines = Array.from({ length: 25 }, (_, index) => `  x${index}: 1\n`).join("");
    const input = Array.from({ length: 60 }, () => `${seedOci}${lines}`).join("---\n");
    const { exitCode, stdout, stderr } = await runCli(["apply", "-f", "-"], { input });
    const told = stderr.trim().split("\n");
    expect({ exitCode, stdout, count: told.length }).toEqual({
      exitCode: 1,
      stdout: "",
      count: 1001,
    });
    expect(told.at(-1)).toBe("error: and more problems; solve these first");
  });

  test("puts extensions before what attaches them, whatever the order of the files", async () => {
    await using server = await startServer();
    using folder = folderOf({
      "a-attachments.yaml": seedAttachments,
      "b/auth.yml": seedOci,
      "b/http.json": JSON.stringify({
        apiVersion: "extension.tsb.tetrate.io/v2",
        kind: "WasmExtension",
        metadata: { organization: "org", name: "wasm-http" },
        spec: { url: "http://h/x.wasm" },
      }),
      "b/README.md": "not: read",
      ".hidden/x.yaml": "not: read",
    });
    const ran = await runCli(["apply", "-f", folder.path, "--server", server.url]);
    expect(ran).toEqual(
      done(`${seedAuth} created\n${seedHttpFqn} created\n${seedGateway} created\n3 created\n`),
    );
  });

  test("takes several files, and standard input", async () => {
    await using server = await startServer();
    using folder = folderOf({ "a.yaml": seedOci, "b.yaml": seedHttp });
    const files = ["-f", `${folder.path}/a.yaml`, "-f", `${folder.path}/b.yaml`, "-f", "-"];
    const ran = await runCli(["apply", ...files, "--server", server.url], {
      input: seedAttachments,
    });
    expect(ran.stdout).toContain("\n3 created\n");
  });

  test("goes on after an object that is refused, names its place, and sums up with exit code 1", async () => {
    await using server = await startServer();
    const text = [
      extension("good"),
      extension("bad", "vmConfig:", "  env:", "    - name: A", "    - name: 1A", "priority: 1"),
      extension("worse", 'allowedIn: [a, "", b]', "vmConfig: {env: [{name: A}, {name: A}]}"),
      extension("fine"),
      seedAttachments,
    ].join("---\n");
    const { exitCode, stdout, stderr } = await apply(server, text);
    expect(exitCode).toBe(1);
    expect(stdout).toBe(
      "organizations/org/extensions/good created\norganizations/org/extensions/fine created\n2 created, 3 refused\n",
    );
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(
        /^error: stdin:15:15: spec\.vmConfig\.env\[1\]\.name: "1A" is not a valid C identifier; /,
      ),
      expect.stringMatching(/^error: stdin:23:18: spec\.allowedIn\[1\]: is required; /),
      expect.stringMatching(
        /^error: stdin:24:38: spec\.vmConfig\.env\[1\]\.name: "A" is a duplicate name/,
      ),
      expect.stringMatching(
        new RegExp(
          `^error: stdin:\\d+:1: ${seedGateway}: ${seedHttpFqn} does not exist, or .* may not use it`,
        ),
      ),
    ]);
  });

  test("an attached extension of another organization is named at its place", async () => {
    await using server = await startServer();
    const text = seedAttachments.replace(seedHttpFqn, "organizations/other/extensions/x");
    const { exitCode, stderr } = await apply(server, text);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: stdin:11:12: spec\.extension\[0\]\.fqn: .* belongs to another/);
  });

  test.each([
    ["updates", seedOci, someoneUpdates],
    ["deletes", seedOci, () => deleteExtension(create(DeleteSchema, { fqn: seedAuth }))],
    ["creates", seedHttp, () => createExtension(create(CreateSchema, someonesHttp))],
  ] as const)(
    "says so when someone else %s it, and overwrites nothing",
    async (_what, text, write) => {
      const store = createStore();
      let isSomeoneFast = false;
      // Someone who writes at the very moment after apply has read.
      const contended = new Proxy(store, {
        get(target, key: keyof typeof store) {
          const seen: unknown = Reflect.get(target, key);
          if (key === "state" && isSomeoneFast) {
            isSomeoneFast = false;
            void journal.write(write(store.state));
          }
          return seen;
        },
      });
      const journal = openMemoryJournal(contended);
      await using server = await startServer({ catalog: { reader: contended, journal } });
      await apply(server, seedOci);
      isSomeoneFast = true;
      const { exitCode, stdout, stderr } = await apply(server, text.replace("1000", "8"));
      const theirs = [...storedExtensions(store).values()].map(({ priority }) => priority);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "1 refused\n" });
      expect(stderr).toMatch(
        /^error: stdin:1:1: \S+ was changed by someone else at the same time, and is left unchanged; check it and apply again\n$/,
      );
      expect(theirs).not.toContain(8);
    },
  );

  test("does nothing at all if a document cannot be read, and names all that is wrong", async () => {
    await using server = await startServer();
    using folder = folderOf({
      "a.yaml": seedOci,
      "b.yaml": seedHttp.replace("allowedIn", "x").replace("url", "urll"),
      "c.yaml": "kind: Nothing\n",
      "d.yaml": Buffer.from([0xff, 0xfe, 0x00]),
    });
    const paths = [folder.path, `${folder.path}/missing.yaml`];
    const { exitCode, stdout, stderr } = await runCli([
      "apply",
      ...paths.flatMap((path) => ["-f", path]),
      ...["--server", server.url],
    ]);
    expect(exitCode).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n")).toEqual([
      `error: ${folder.path}/missing.yaml: no such file or folder; check the name`,
      expect.stringContaining(`error: ${folder.path}/b.yaml:7:3: spec.urll: unknown field;`),
      expect.stringContaining(`error: ${folder.path}/c.yaml:1:7: kind: "Nothing" is not known;`),
      `error: ${folder.path}/d.yaml: is not UTF-8 text; convert it`,
    ]);
    const { stdout: list } = await runCli(["list", "organizations/org", "--server", server.url]);
    expect(list).toBe("");
  });

  test("refuses two documents of one name, with both places", async () => {
    await using server = await startServer();
    using folder = folderOf({ "a.yaml": seedOci, "b.yaml": `${seedHttp}---\n${seedOci}` });
    const { exitCode, stderr } = await runCli(["apply", "-f", folder.path, "--server", server.url]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      `error: ${folder.path}/b.yaml:17:1: ${seedAuth} is a duplicate of ${folder.path}/a.yaml:1; keep one of the two\n`,
    );
  });

  test.each([
    ["", "stdin"],
    ["# nothing\n", "a comment"],
  ])("refuses %j, which holds no objects", async (input) => {
    const { exitCode, stderr } = await runCli(["apply", "-f", "-"], { input });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: there are no objects in -; write documents/);
  });

  test("needs to be told what", async () => {
    const { exitCode, stderr } = await runCli(["apply"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("--filename <file>' not specified");
  });

  test("stops when the server is lost, and says how much remains", async () => {
    const server = await startServer();
    const closing = server.close();
    await closing;
    const { exitCode, stdout, stderr } = await apply(server, `${seedOci}---\n${seedHttp}`);
    expect(exitCode).toBe(1);
    expect(stdout).toBe("2 remaining\n");
    expect(stderr).toMatch(
      /^error: cannot reach http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*; start a server with wasmext serve, or name another one with --server\n$/,
    );
  });

  test("stops when the server is lost on the way, and says how much remains", async () => {
    const server = await startServer();
    const ran = await runCli(["apply", "-f", "-", "--server", server.url], {
      input: [extension("a"), extension("b"), extension("c")].join("---\n"),
      onPrint: () => server.close(),
    });
    expect(ran.exitCode).toBe(1);
    expect(ran.stdout).toBe("organizations/org/extensions/a created\n1 created, 2 remaining\n");
    expect(ran.stderr.trim().split("\n")).toHaveLength(1);
  });

  test("shows the token to the server, and not to people", async () => {
    let shown: string | undefined;
    const listener = createServer(({ headers }, response) => {
      shown = headers.authorization;
      response.writeHead(404).end();
    }).listen(0, "127.0.0.1");
    await once(listener, "listening");
    const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    const parameters = ["apply", "-f", "-", "--server", url, "--token"];
    const other = await runCli([...parameters, "secret"], { input: seedOci });
    expect(shown).toBe("Bearer secret");
    expect(other.exitCode).toBe(1);
    expect(other.stderr).toMatch(
      /^error: http:.* does not answer as a wasmext server does: .*; check --server\n$/,
    );
    const bad = await runCli([...parameters, "sec\nret"], { input: seedOci });
    expect(bad).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "error: the token of --token or WASMEXT_TOKEN has invalid characters\n",
    });
    listener.close();
  });
});

describe("apply --dry-run", () => {
  test.each([
    ["a name that is no fqn", seedAttachments.replace(seedHttpFqn, "wasm-http")],
    ["a target that is attached", seedAttachments.replace(seedHttpFqn, seedGateway)],
    ["a tenant that loses an extension", seedHttp.replace("spec:", "spec:\n  allowedIn: [none]")],
  ])("answers the same as apply for %s", async (_what, text) => {
    await using server = await startServer();
    await apply(server, `${seedOci}---\n${seedHttp}---\n${seedAttachments}`);
    const input = `${extension("good")}---\n${text}`;
    const tried = await apply(server, input, "--dry-run");
    const applied = await apply(server, input);
    expect(applied.stderr).toBe(tried.stderr);
    expect(applied.stdout).toBe(tried.stdout.replaceAll(" (dry run)", ""));
    expect(applied.exitCode).toBe(tried.exitCode);
    expect(tried.stdout).toContain("organizations/org/extensions/good created (dry run)");
  });

  test("answers what apply would answer, and does nothing", async () => {
    await using server = await startServer();
    await apply(server, `${seedOci}---\n${seedHttp}---\n${seedAttachments}`);
    const changed = [
      seedOci,
      seedHttp.replace("1000", "7"),
      seedAttachments.replace("namespace: web", "namespace: other"),
      extension("new"),
      extension("bad", "vmConfig: {env: [{name: 1}]}").replace("name: 1}", 'name: "1"}'),
    ].join("---\n");
    const tried = await apply(server, changed, "--dry-run");
    expect(tried.exitCode).toBe(1);
    expect(tried.stdout).toBe(
      [
        `${seedAuth} unchanged (dry run)`,
        `${seedHttpFqn} configured (dry run)`,
        "organizations/org/extensions/new created (dry run)",
        `${seedGateway} configured (dry run)`,
        "1 created, 2 configured, 1 unchanged, 1 refused (dry run)\n",
      ].join("\n"),
    );
    expect(tried.stderr).toContain('"1" is not valid; write a C identifier');
    const applied = await apply(server, changed);
    expect(applied.stdout).toBe(tried.stdout.replaceAll(" (dry run)", ""));
    expect(applied.stderr).toBe(tried.stderr);
  });

  test("answers the same as apply for many objects, which are read from lists", async () => {
    await using server = await startServer();
    const many = Array.from({ length: 250 }, (_, index) => extension(`e${index}`, "priority: 1"));
    const sets = Array.from({ length: 210 }, (_, index) =>
      seedAttachments
        .replace("ingressgateways/web", `ingressgateways/w${index}`)
        .replaceAll(/extensions\/wasm-(?:http|auth)/g, `extensions/e${index}`),
    );
    await apply(server, [...many.slice(0, 120), ...sets.slice(0, 100)].join("---\n"));
    const input = [...many, ...sets]
      .join("---\n")
      .replaceAll("priority: 1\n---", "priority: 2\n---");
    const tried = await apply(server, input, "--dry-run");
    const applied = await apply(server, input);
    expect(applied.stdout).toBe(tried.stdout.replaceAll(" (dry run)", ""));
    expect(applied.stderr).toBe(tried.stderr);
    expect(tried.stdout).toContain("configured (dry run)\n");
    expect(tried.stdout).toContain("unchanged (dry run)\n");
  });

  test("reads many objects one by one where the lists are refused", async () => {
    const refusal = (code: string, reason: string): string => {
      const info = create(ErrorInfoSchema, { domain: "wasmext", reason });
      const value = Buffer.from(toBinary(ErrorInfoSchema, info)).toString("base64");
      return JSON.stringify({ code, details: [{ type: "google.rpc.ErrorInfo", value }] });
    };
    const asked = new Map<string, number>();
    const listener = createServer(({ url = "" }, response) => {
      const call = url.split("/").at(-1) ?? "";
      asked.set(call, (asked.get(call) ?? 0) + 1);
      const isList = call.startsWith("List");
      response.writeHead(isList ? 403 : 404, { "content-type": "application/json" });
      response.end(
        isList ? refusal("permission_denied", "DENIED") : refusal("not_found", "NOT_FOUND"),
      );
    }).listen(0, "127.0.0.1");
    await once(listener, "listening");
    const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    const input = Array.from({ length: 200 }, (_, index) => extension(`e${index}`)).join("---\n");
    const ran = await runCli(["apply", "-f", "-", "--dry-run", "--server", url], { input });
    expect(ran.stdout).toContain("\n200 created (dry run)\n");
    expect([...asked]).toEqual([
      ["ListWasmExtension", 1],
      ["GetWasmExtension", 200],
    ]);
    listener.close();
  });

  test("knows extensions that are attached and not among the files", async () => {
    await using server = await startServer();
    const attachment = seedAttachments;
    expect((await apply(server, attachment, "--dry-run")).stderr).toContain("does not exist, or");
    await apply(server, `${seedOci}---\n${seedHttp}`);
    expect((await apply(server, attachment, "--dry-run")).stdout).toBe(
      `${seedGateway} created (dry run)\n1 created (dry run)\n`,
    );
    const { stdout } = await runCli(["list", "organizations/org", "--server", server.url]);
    expect(stdout).not.toContain("TARGET");
  });
});

describe("a folder", () => {
  test("may hold links, and what is no file is left alone", async () => {
    await using server = await startServer();
    using folder = folderOf({ "real/a.yaml": seedOci, "config/x": "" });
    symlinkSync(`${folder.path}/none`, `${folder.path}/notes.txt`);
    mkdirSync(`${folder.path}/folder.yaml`);
    symlinkSync("../real/a.yaml", `${folder.path}/config/link.yaml`);
    rmSync(`${folder.path}/config/x`);
    const ran = await runCli(["apply", "-f", `${folder.path}/config`, "--server", server.url]);
    expect(ran.stdout).toBe(`${seedAuth} created\n1 created\n`);
    const whole = await runCli(["apply", "-f", folder.path, "--server", server.url]);
    expect(whole.stderr).toMatch(
      /^error: .*\/real\/a\.yaml:1:1: .* is a duplicate of .*\/config\/link\.yaml:1;/,
    );
    symlinkSync(`${folder.path}/none`, `${folder.path}/config/z.yaml`);
    const dead = await runCli(["apply", "-f", `${folder.path}/config`, "--server", server.url]);
    expect(dead).toMatchObject({
      exitCode: 1,
      stderr: `error: ${folder.path}/config/z.yaml: no such file or folder; check the name\n`,
    });
  });
});

describe("on a terminal", () => {
  test("what files and servers say cannot steer it", async () => {
    await using server = await startServer();
    using folder = folderOf({
      "\u001b[31m.yaml": extension("a", 'source: "\\x9b31m"', 'url: "h\\u202e"').replace(
        "  url: oci://ghcr.io/acme/x:1\n",
        "",
      ),
    });
    const { exitCode, stderr } = await runCli(["apply", "-f", folder.path, "--server", server.url]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("\\u001b[31m.yaml:");
    expect(stderr).toMatch(/^[\n\x20-\x7e]*$/);
  });

  test("apply shows results in colours, and progress when it is long", async () => {
    await using server = await startServer();
    const progress: (string | undefined)[] = [];
    let now = 0;
    const ran = await runCli(["apply", "-f", "-", "--server", server.url], {
      input: `${seedOci}---\n${seedHttp}---\n${seedAttachments}`,
      hasColours: true,
      showProgress: (text) => progress.push(text),
      now: () => (now += 700),
    });
    expect(ran.stdout).toContain(`${seedAuth} \u001b[32mcreated\u001b[39m\n`);
    expect(progress).toEqual([
      "read 2 documents",
      "read 3 documents",
      undefined,
      "2 of 3",
      "3 of 3",
      undefined,
    ]);
  });

  test("apply that is quick shows no progress", async () => {
    await using server = await startServer();
    const progress: (string | undefined)[] = [];
    await runCli(["apply", "-f", "-", "--server", server.url], {
      input: `${seedOci}---\n${seedHttp}`,
      showProgress: (text) => progress.push(text),
      now: () => 0,
    });
    expect(progress).toEqual([undefined, undefined]);
  });
});
