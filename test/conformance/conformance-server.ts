/*
 * The program that the conformance suite starts for each way to connect: reads a ServerCompatRequest
 * from stdin, serves, and writes a ServerCompatResponse to stdout, each after its length in four bytes.
 *
 * The argument is the path of the suite's descriptors.
 */
import { buffer } from "node:stream/consumers";
import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { conformanceRoutes } from "./conformance-service.ts";
import { messageOf, readDescriptors } from "./descriptors.ts";
import { serve } from "./serve.ts";

/** The fields of connectrpc.conformance.v1.ServerCompatRequest that are used. */
type Request = Message & {
  readonly useTls: boolean;
  readonly messageReceiveLimit: number;
  readonly serverCreds?: { readonly cert: Uint8Array; readonly key: Uint8Array };
};

const [, , descriptors = ""] = process.argv;
const registry = readDescriptors(descriptors);
const requestType = messageOf(registry, "connectrpc.conformance.v1.ServerCompatRequest");
const responseType = messageOf(registry, "connectrpc.conformance.v1.ServerCompatResponse");

const lengthBytes = 4;
const input = await buffer(process.stdin);
const request = fromBinary(requestType, input.subarray(lengthBytes)) as Request;
const { serverCreds, useTls } = request;
const tls =
  useTls && serverCreds !== undefined
    ? { cert: Buffer.from(serverCreds.cert), key: Buffer.from(serverCreds.key) }
    : undefined;

const served = await serve({
  routes: conformanceRoutes(registry),
  maxMessageBytes: request.messageReceiveLimit,
  tls,
});
process.once("SIGTERM", () => {
  void served.close().then(() => process.exit());
});
// The suite leaves its servers behind when it is ended early.
const { ppid } = process;
setInterval(() => {
  if (process.ppid !== ppid) {
    process.exit();
  }
}, 1000).unref();

const response = { host: "127.0.0.1", port: served.port, ...(tls && { pemCert: tls.cert }) };
const output = toBinary(responseType, create(responseType, response));
const length = Buffer.alloc(lengthBytes);
length.writeUInt32BE(output.byteLength);
process.stdout.write(Buffer.concat([length, output]));
