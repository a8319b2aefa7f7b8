import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { createProcessShell, type Streams } from "../../src/cli/process-shell.ts";
import type { Shell } from "../../src/cli/shell.ts";

const parts = { version: "1", fail: () => undefined };

/** The shell of a process whose output goes to a terminal or into pipes, and what arrives there. */
function shellOn({ isTerminal }: { isTerminal: boolean }): { shell: Shell; screen: () => string } {
  const out = new PassThrough();
  const stream = Object.assign(out, { isTTY: isTerminal, hasColors: () => true });
  const streams = { stdin: stream, stdout: stream, stderr: stream } as unknown as Streams;
  const shell = createProcessShell(streams, parts);
  return { shell, screen: () => String(out.read() ?? "") };
}

describe("the shell of a process", () => {
  test("shows progress in a line that stays below what is printed", async () => {
    const { shell, screen } = shellOn({ isTerminal: true });
    shell.showProgress("1 of 3");
    await shell.print("a created\n");
    shell.showProgress("2 of 3");
    shell.say("error: b");
    shell.showProgress(undefined);
    expect(screen()).toBe(
      [
        "\r\u001b[K1 of 3",
        "\r\u001b[Ka created\n\r\u001b[K1 of 3",
        "\r\u001b[K2 of 3",
        "\r\u001b[Kerror: b\n\r\u001b[K2 of 3",
        "\r\u001b[K",
      ].join(""),
    );
    expect(shell.hasColours).toBe(true);
  });

  test("leaves progress alone while its output goes into a file", async () => {
    const out = Object.assign(new PassThrough(), { isTTY: false });
    const err = Object.assign(new PassThrough(), { isTTY: true, hasColors: () => true });
    const streams = { stdin: out, stdout: out, stderr: err } as unknown as Streams;
    const shell = createProcessShell(streams, parts);
    shell.showProgress("1 of 3");
    await shell.print("a created\n");
    expect(String(err.read())).toBe("\r\u001b[K1 of 3");
    expect(String(out.read())).toBe("a created\n");
  });

  test("knows whether each of its outputs shows colours", () => {
    const at = (isTTY: boolean) =>
      Object.assign(new PassThrough(), { isTTY, hasColors: () => true });
    const streams = { stdin: at(true), stdout: at(true), stderr: at(false) } as unknown as Streams;
    expect(createProcessShell(streams, parts)).toMatchObject({
      hasColours: true,
      hasErrorColours: false,
    });
  });

  test("shows neither progress nor colours in a pipe", async () => {
    const { shell, screen } = shellOn({ isTerminal: false });
    shell.showProgress("1 of 3");
    await shell.print("a created\n");
    shell.showProgress(undefined);
    expect(screen()).toBe("a created\n");
    expect(shell.hasColours).toBe(false);
  });

  test("waits for a slow reader, and not for one that is gone", async () => {
    const out = new PassThrough({ highWaterMark: 4 });
    const stream = Object.assign(out, { isTTY: false });
    const streams = { stdin: stream, stdout: stream, stderr: stream } as unknown as Streams;
    const shell = createProcessShell(streams, parts);
    let isDone = false;
    const printed = shell.print("more than four").then(() => {
      isDone = true;
    });
    await new Promise(setImmediate);
    expect(isDone).toBe(false);
    out.read();
    await printed;
    const waiting = shell.print("more than four");
    out.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await waiting;
    await shell.print("nobody hears this");
    expect(shell.closed.aborted).toBe(true);
  });
});
