/*
 * A program that pushes messages to one delta ADS stream: it answers the first request with the first message
 * that it was given, and each "push" with the one that it was given last. It does nothing else.
 */
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

let message = Buffer.alloc(0);
let stream: ServerHttp2Stream | undefined;

const push = (): void => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  stream?.write(head);
  stream?.write(message);
};
process.on("message", (told: Uint8Array | "push") => {
  if (told === "push") {
    push();
  } else {
    message = Buffer.from(told);
    process.send?.("loaded");
  }
});
const server = createServer();
server.on("stream", (opened) => {
  opened.respond({ ":status": 200, "content-type": "application/grpc" });
  opened.on("error", () => undefined);
  opened.resume();
  stream = opened;
  push();
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on("disconnect", () => process.exit());
