import { describe, expect, test } from "vitest";
import { follow } from "../../src/cli/follow.ts";
import { acme, createAcme, ext, redSecurity } from "../support/acme.ts";
import { type Ran, runCli } from "../support/cli.ts";
import { startServer } from "../support/server.ts";

/** A watch that runs beside the test. */
interface Watching {
  /** Resolves when the watch has printed a line that matches, anywhere in its output. */
  printed(pattern: RegExp): Promise<void>;
  said(pattern: RegExp): Promise<void>;
  /** Ends it as a closed pipe does. */
  end(): Promise<Ran>;
}

function watch(url: string, ...more: string[]): Watching {
  const closed = new AbortController();
  const texts = { out: "", err: "" };
  let time = 0;
  const waiting = new Set<() => void>();
  const heard = (): void => {
    for (const wake of waiting) {
      wake();
    }
  };
  const ran = runCli(["watch", acme, "--server", url, ...more], {
    closed: closed.signal,
    now: () => (time += 3_600_000),
    onPrint: (text) => {
      texts.out += text;
      heard();
    },
    onSay: (line) => {
      texts.err += `${line}\n`;
      heard();
    },
  });
  const until = async (kind: "out" | "err", pattern: RegExp): Promise<void> => {
    while (!pattern.test(texts[kind])) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const wake = (): void => {
        resolve(undefined);
      };
      waiting.add(wake);
      const end = await Promise.race([promise, ran]);
      waiting.delete(wake);
      if (end !== undefined) {
        throw new Error(`the watch ended before ${String(pattern)}: ${JSON.stringify(end)}`);
      }
    }
  };
  return {
    printed: (pattern) => until("out", pattern),
    said: (pattern) => until("err", pattern),
    end() {
      closed.abort();
      return ran;
    },
  };
}

/** What a watch printed, without the column widths and the summaries. */
function linesOf({ stdout }: Ran): string[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/ +/).slice(0, 3).join(" "));
}

describe("watch", () => {
  test("shows what there is, then each change as it comes", async () => {
    const catalog = createAcme();
    await using server = await startServer({ catalog: catalog });
    await catalog.put("a", { phase: 1, priority: 7 });
    const watching = watch(server.url);
    await watching.printed(/present/);
    await catalog.put("b");
    await catalog.put("a", { priority: 8 });
    await catalog.attach(redSecurity, [{ fqn: ext("a") }, { fqn: ext("b") }]);
    await catalog.remove("b");
    await watching.printed(/deleted.*\n.*attaches a\n/);
    const ran = await watching.end();
    expect(ran.stdout).toBe(
      [
        `     1  present  ${ext("a")}  AUTHN 7 oci://ghcr.io/acme/x:1.0`,
        `     2  created  ${ext("b")}  - 0 oci://ghcr.io/acme/x:1.0`,
        `     3  changed  ${ext("a")}  - 8 oci://ghcr.io/acme/x:1.0`,
        `     4  created  ${redSecurity}  attaches a, b`,
        `     5  deleted  ${ext("b")}`,
        `     5  changed  ${redSecurity}  attaches a\n`,
      ].join("\n"),
    );
    expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("goes on after a lost connection, and misses nothing", async () => {
    const catalog = createAcme();
    const first = await startServer({ catalog: catalog });
    await catalog.put("a");
    const watching = watch(first.url);
    await watching.printed(/present/);
    await catalog.put("b");
    await watching.printed(/created.*b /);
    await first.close();
    await watching.said(/the connection is lost: .*; trying again/);
    await catalog.put("c");
    await catalog.remove("a");
    await using second = await startServer({ catalog: catalog, port: first.port });
    await watching.printed(/deleted/);
    await catalog.put("d");
    await watching.printed(/extensions\/d /);
    const ran = await watching.end();
    expect(second.url).toBe(first.url);
    expect(linesOf(ran)).toEqual([
      `1 present ${ext("a")}`,
      `2 created ${ext("b")}`,
      `3 created ${ext("c")}`,
      `4 deleted ${ext("a")}`,
      `5 created ${ext("d")}`,
    ]);
    expect(ran.exitCode).toBe(0);
  });

  test("shows what has changed when the server has begun anew with another catalog", async () => {
    const before = createAcme();
    const first = await startServer({ catalog: before });
    for (const name of ["kept", "gone", "other", "more"]) {
      await before.put(name);
    }
    const watching = watch(first.url);
    await watching.printed(/(?:.*present.*\n){4}/);
    await first.close();
    const after = createAcme();
    await after.put("other", { priority: 1 });
    await after.put("new");
    await using second = await startServer({ catalog: after, port: first.port });
    await watching.printed(/deleted.*more/);
    const ran = await watching.end();
    expect(second.url).toBe(first.url);
    expect(linesOf(ran).slice(4)).toEqual([
      `2 changed ${ext("other")}`,
      `2 created ${ext("new")}`,
      `2 deleted ${ext("gone")}`,
      `2 deleted ${ext("kept")}`,
      `2 deleted ${ext("more")}`,
    ]);
  });

  test("shows what has changed when the server no longer keeps the commits", async () => {
    const catalog = createAcme({ store: { history: { maxCommits: 2 } } });
    const first = await startServer({ catalog: catalog });
    await catalog.put("a");
    await catalog.put("b");
    const watching = watch(first.url);
    await watching.printed(/(?:.*present.*\n){2}/);
    await first.close();
    await catalog.put("c");
    await catalog.put("c", { priority: 1 });
    await catalog.put("c", { priority: 2 });
    await catalog.remove("a");
    await using second = await startServer({ catalog: catalog, port: first.port });
    await watching.printed(/deleted/);
    const ran = await watching.end();
    expect(second.url).toBe(first.url);
    expect(linesOf(ran).slice(2)).toEqual([`6 created ${ext("c")}`, `6 deleted ${ext("a")}`]);
    expect(ran.stderr).toContain("showing what has changed since");
  });

  test("takes a connection without a word for dead, and goes on over another", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const ending = new AbortController();
    const notes: string[] = [];
    const changes = follow(catalog, {
      parent: acme,
      startRevision: 0n,
      signal: ending.signal,
      silenceMs: 20,
      hasNewToken: () => false,
      note: (text) => notes.push(text),
      now: () => 0,
      wait: () => Promise.resolve(),
    });
    expect((await changes.next()).value).toMatchObject({ action: "present", fqn: ext("a") });
    const next = changes.next();
    await expect
      .poll(() => notes)
      .toContain("the connection is lost: no message for 0.02 s; trying again");
    await catalog.put("b");
    expect((await next).value).toMatchObject({ action: "created", fqn: ext("b") });
    ending.abort();
    expect(await changes.next()).toEqual({ done: true, value: undefined });
  });

  test("that begins with a revision goes on after a lost connection, and notices another catalog", async () => {
    const before = createAcme();
    const first = await startServer({ catalog: before });
    await before.put("a");
    const early = watch(first.url, "--from", "1");
    // Has not had a word yet when the connection is lost; by its clock that is an hour later.
    const waiting = watch(first.url, "--from", "3");
    await early.printed(/a /);
    await expect.poll(() => before.reader.commitNotifier.size).toBe(2);
    await first.close();
    await waiting.said(/the connection is lost/);
    const after = createAcme();
    for (const name of ["x", "y", "z"]) {
      await after.put(name);
    }
    await using second = await startServer({ catalog: after, port: first.port });
    await waiting.printed(/z /);
    expect(second.url).toBe(first.url);
    expect(linesOf(await waiting.end())).toEqual([`3 put ${ext("z")}`]);
    const { exitCode, stderr } = await early.end();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/error: revision 2 of .* belongs to another incarnation/);
  });

  test("begins with a revision, and says so if it is no longer kept", async () => {
    const catalog = createAcme({ store: { history: { maxCommits: 2 } } });
    await using server = await startServer({ catalog: catalog });
    for (const name of ["a", "b", "c"]) {
      await catalog.put(name);
    }
    const watching = watch(server.url, "--from", "3");
    await watching.printed(/c /);
    expect(linesOf(await watching.end())).toEqual([`3 put ${ext("c")}`]);
    const { exitCode, stderr } = await runCli([
      ...["watch", acme, "--from", "1"],
      ...["--server", server.url],
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: revision 1 of .* is no longer kept; the oldest is 2; /);
  });

  test("writes a line a change in JSON, and a document in YAML", async () => {
    const catalog = createAcme();
    await using server = await startServer({ catalog: catalog });
    await catalog.put("a");
    const json = watch(server.url, "-o", "json");
    const yaml = watch(server.url, "-o", "yaml");
    await json.printed(/present/);
    await yaml.printed(/present/);
    await catalog.remove("a");
    await json.printed(/deleted/);
    await yaml.printed(/deleted/);
    const lines = (await json.end()).stdout.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      {
        revision: "1",
        action: "present",
        fqn: ext("a"),
        object: { kind: "WasmExtension", metadata: { name: "a" } },
      },
      { revision: "2", action: "deleted", fqn: ext("a") },
    ]);
    expect((await yaml.end()).stdout).toMatch(
      /^---\nrevision: "1"\naction: present\n[^]*---\nrevision: "2"\naction: deleted\nfqn: .*\n$/,
    );
  });
});
