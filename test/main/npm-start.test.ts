import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";

/** The port of a server that `npm start` runs, and the npm that runs it. */
async function npmStart() {
  const npm = spawn("npm", ["start", "--", "--port", "0"], {
    cwd: new URL("../..", import.meta.url),
    stdio: ["ignore", "pipe", "ignore"],
  });
  for await (const line of createInterface(npm.stdout)) {
    const port = /^wasmext listening on .*:(\d+)$/.exec(line)?.[1];
    if (port !== undefined) {
      return { npm, port: Number(port) };
    }
  }
  throw new Error("npm has ended before the server was ready");
}

// A container is stopped by a signal to npm alone; a terminal sends SIGINT to both.
test.each(["SIGTERM", "SIGINT"] as const)(
  "%s to npm start ends the server, with 0",
  async (signal) => {
    const { npm, port } = await npmStart();
    npm.kill(signal);
    expect(await once(npm, "exit")).toEqual([0, null]);
    const socket = connect(port, "127.0.0.1");
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  },
);
