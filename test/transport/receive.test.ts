import { PassThrough } from "node:stream";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import type { RequestHead } from "../../src/transport/node-http.ts";
import { receiveBody } from "../../src/transport/request/receive.ts";

const head = { headers: {} } as RequestHead;

function receive(body: PassThrough): Promise<Buffer> {
  return receiveBody(
    { head, body },
    {
      timeoutMs: 60_000,
      late: () => new ConnectError("late", Code.DeadlineExceeded),
      maxBytes: 100,
      tooLarge: () => new ConnectError("too large", Code.ResourceExhausted),
      upload: { hold: () => undefined },
      askForBody: () => undefined,
    },
  );
}

describe("a body that a client gives up", () => {
  const canceled = expect.objectContaining({ code: Code.Canceled }) as ConnectError;

  test("is not waited for", async () => {
    const body = new PassThrough();
    body.write("half");
    const received = receive(body);
    body.destroy();
    await expect(received).rejects.toEqual(canceled);
  });

  // As happens while a token is verified.
  test("is not waited for when that was before it is received", async () => {
    const body = new PassThrough();
    body.write("half");
    await new Promise<void>((resolve) => void body.destroy().once("close", resolve));
    await expect(receive(body)).rejects.toEqual(canceled);
  });
});
