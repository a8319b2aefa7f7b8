import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import { defaultPortLimits } from "../../src/transport/connection/port.ts";
import { listPath, useTarget } from "../support/target.ts";

const target = useTarget();

// What a proxy does whose own clients give up, or a client that ends all that it watches, twice.
test("a connection survives the resets of twice as many streams as it may have open", async () => {
  const session = connectHttp2(`http://127.0.0.1:${target.port}`);
  session.on("error", () => undefined);
  onTestFinished(() => {
    session.destroy();
  });
  await once(session, "connect");
  const head = { ":method": "POST", ":path": listPath, "content-type": "application/json" };
  for (let batch = 0; batch < 20; batch++) {
    const streams = Array.from({ length: defaultPortLimits.maxStreams / 10 }, () =>
      session.request(head),
    );
    await Promise.all(
      streams.map(async (stream) => {
        stream.on("error", () => undefined);
        stream.close(constants.NGHTTP2_CANCEL);
        await once(stream, "close");
      }),
    );
  }
  const last = session.request(head);
  last.end('{"parent":"organizations/acme"}');
  const [{ ":status": status }] = (await once(last, "response")) as [{ ":status": number }];
  expect(status).toBe(200);
});
