/* A server of @grpc/grpc-js that does nothing but answer: always the same objects, which it encodes each time. */
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { readAnswers } from "./answers.ts";
import { print } from "./announce.ts";

const protoRoot = new URL("../../proto", import.meta.url).pathname;
const packages = loadPackageDefinition(
  loadSync(WasmExtensions.file.proto.name, { includeDirs: [protoRoot] }),
);
const { service } = WasmExtensions.typeName
  .split(".")
  .reduce<unknown>(
    (inner, name) => (inner as Record<string, unknown>)[name],
    packages,
  ) as ServiceClientConstructor;

const { grpc } = readAnswers(process.argv[2] ?? "");
const handlers = Object.entries(service).flatMap(([name, { path, responseDeserialize }]) => {
  const recorded = grpc[path];
  if (recorded === undefined) {
    return [];
  }
  const answer: unknown = responseDeserialize(recorded.body.subarray(5));
  return [
    [
      name,
      (_: unknown, callback: (error: null, answer: unknown) => void) => {
        callback(null, answer);
      },
    ],
  ];
});

const server = new Server();
server.addService(service, Object.fromEntries(handlers) as never);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_, port) => {
  print(port);
});
