import { describe, expect, test } from "vitest";
import { overTcp } from "../support/exchange.ts";
import { createPath, listPath, useTarget } from "../support/target.ts";

const target = useTarget({ connections: { headerTimeoutMs: 1000 } });

function post(path: string, body: string, ...headers: string[]): string {
  return [
    `POST ${path} HTTP/1.1`,
    "Host: localhost",
    "Content-Type: application/json",
    ...headers,
    ...(headers.some((header) => header.startsWith("Transfer-Encoding"))
      ? []
      : [`Content-Length: ${body.length}`]),
    "",
    body,
  ].join("\r\n");
}

const list = post(listPath, '{"parent":"organizations/acme"}');
const refused = post(createPath, "{}");

/** The statuses that a connection is answered with until it ends. */
async function statuses(...sent: string[]): Promise<number[]> {
  const answer = (await overTcp(target.port, sent.join(""))).toString("latin1");
  return [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
}

describe("requests that are sent ahead of what is not HTTP are answered first", () => {
  test.each([
    ["garbage", "\0garbage\r\n\r\n", 400],
    ["a chunk without a length", post(listPath, "z", "Transfer-Encoding: chunked"), 400],
    ["a head that is too large", post(listPath, "", `X-A: ${"a".repeat(20_000)}`), 431],
    ["a head that never ends", `POST ${listPath} HTTP/1.1\r\nHost:`, 408],
  ])("%s", async (_, broken, status) => {
    expect(await statuses(list, refused, list, broken)).toEqual([200, 400, 200, status]);
  });

  test("what comes after a request that ends the connection", async () => {
    const last = post(listPath, '{"parent":"organizations/acme"}', "Connection: close");
    expect(await statuses(list, last, list)).toEqual([200, 200]);
  });

  test("garbage, with more of it to come", async () => {
    expect(await statuses(list, "\0garbage\r\n\r\n".repeat(50_000), list)).toEqual([200, 400]);
  });
});
