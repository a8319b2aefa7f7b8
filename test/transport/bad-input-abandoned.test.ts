import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import { test } from "vitest";
import { grpc } from "../support/dialects.ts";
import { createPath, useTarget } from "../support/target.ts";
import { field } from "../support/wire.ts";

/*
 * Clients that go away in the middle of a call. What is expected of the server is to live on as it
 * was, which `useTarget` sees to.
 */
const target = useTarget();
const many = 200;
const watchPath = "/grpc.health.v1.Health/Watch";
const grpcHeaders = { ":method": "POST", "content-type": grpc.contentType, te: "trailers" };

test("connections that are reset while they send a body", async () => {
  const head = `POST ${createPath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{`;
  await Promise.all(
    Array.from({ length: many }, async () => {
      const socket = connectTcp({ host: "127.0.0.1", port: target.port });
      await once(socket, "connect");
      socket.write(head, () => socket.resetAndDestroy());
      await once(socket, "close");
    }),
  );
});

test("connections that are reset with open streams", async () => {
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      const socket = connectTcp({ host: "127.0.0.1", port: target.port });
      const session = connectHttp2("http://localhost", { createConnection: () => socket });
      session.on("error", () => undefined);
      const answered = Array.from({ length: 20 }, async () => {
        const stream = session.request({ ...grpcHeaders, ":path": watchPath });
        stream.on("error", () => undefined);
        stream.end(grpc.wrap(field(1, "")));
        await once(stream, "response");
      });
      await Promise.all(answered);
      socket.resetAndDestroy();
    }),
  );
});

test("streams that are reset as soon as they are opened", async () => {
  const session = connectHttp2(`http://127.0.0.1:${target.port}`);
  session.on("error", () => undefined);
  await once(session, "connect");
  for (let count = 0; count < many; count++) {
    const stream = session.request({ ...grpcHeaders, ":path": createPath }, { endStream: false });
    stream.on("error", () => undefined);
    stream.close(constants.NGHTTP2_CANCEL);
  }
  session.close();
  await once(session, "close");
});
