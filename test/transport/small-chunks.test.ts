import { once } from "node:events";
import { connect } from "node:net";
import { finished } from "node:stream/promises";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { createReceived } from "../../src/transport/request/received.ts";
import { startTimeLimit } from "../../src/transport/request/time-limit.ts";
import { startProcess } from "../support/process.ts";
import { listPath } from "../support/target.ts";

test("a body in chunks of one byte takes little more memory than its bytes", async () => {
  const server = startProcess(["serve", "--port", "0", "--log-level", "error"], {
    NODE_OPTIONS: "--max-old-space-size=96",
  });
  onTestFinished(() => {
    server.child.kill("SIGKILL");
  });
  const url = (await server.firstLine).split(" ").at(-1) ?? "";
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  let answer = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    answer += text;
  });
  const head = [
    `POST ${listPath} HTTP/1.1`,
    "Host: localhost",
    "Connection: close",
    "Content-Type: application/json",
    "Transfer-Encoding: chunked",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  for (let batch = 0; batch < 40 && !socket.destroyed; batch++) {
    if (!socket.write("1\r\n \r\n".repeat(10_000))) {
      await Promise.race([once(socket, "drain"), once(socket, "close")]);
    }
  }
  socket.write(`${'{"parent":"organizations/a"}'.replace(/./g, "1\r\n$&\r\n")}0\r\n\r\n`);
  await finished(socket, { cleanup: true }).catch(() => undefined);
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
}, 30_000);

describe("what is received", () => {
  test("is what came, in whatever chunks", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
        const received = createReceived();
        const all = chunks.map((chunk) => Buffer.from(received.add(chunk)));
        expect(all).toEqual(chunks.map((_, index) => Buffer.concat(chunks.slice(0, index + 1))));
        expect(received.length).toBe(Buffer.concat(chunks).length);
      }),
    );
  });

  test("stays as it was returned when all is removed", () => {
    const received = createReceived();
    const first = received.add(Buffer.from("first"));
    received.clear();
    expect(received.add(Buffer.from("second")).toString()).toBe("second");
    expect(first.toString()).toBe("first");
  });
});

describe("a time limit", () => {
  const late = (): Error => new Error("late");

  test("rejects what is waited for when it is over, and all that is waited for later", async () => {
    const limit = startTimeLimit(1, late);
    await expect(limit.wait(Promise.resolve("in time"))).resolves.toBe("in time");
    await expect(limit.wait(new Promise(() => undefined))).rejects.toThrow("late");
    await expect(limit.wait(new Promise(() => undefined))).rejects.toThrow("late");
  });

  test("passes on why a promise was rejected", async () => {
    const limit = startTimeLimit(60_000, late);
    await expect(limit.wait(Promise.reject(new Error("own")))).rejects.toThrow("own");
    limit.lift();
  });
});
