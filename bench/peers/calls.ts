/* The calls that all servers are loaded with, as their bytes. */
import {
  create,
  type DescMessage,
  type MessageInitShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import type { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  CreateWasmExtensionRequestSchema,
  GetWasmExtensionRequestSchema,
  ListWasmExtensionRequestSchema,
  WasmExtensions,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { WatchRequestSchema, WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";

/** A call. */
export interface Call {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export const organization = "organizations/acme";

/** How many extensions a server has. */
export const extensionCount = 1_000;

/** An extension that all servers have. */
export function extensionOf(index: number) {
  return {
    url: `oci://ghcr.io/acme/e${index}:1.0`,
    priority: (index * 7919) % 2000,
    phase: (index % 4) as Phase,
    config: { threshold: index },
  };
}

/** A message as gRPC and gRPC-Web send it. */
export function enveloped(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

/** A call over gRPC. */
function grpcCall<Desc extends DescMessage>(
  service: { readonly typeName: string },
  method: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
): Call {
  return {
    path: `/${service.typeName}/${method}`,
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: enveloped(toBinary(schema, create(schema, init))),
  };
}

const fqn = `${organization}/extensions/e0`;

export const getCall = grpcCall(WasmExtensions, "GetWasmExtension", GetWasmExtensionRequestSchema, {
  fqn,
});

export const listCall = grpcCall(
  WasmExtensions,
  "ListWasmExtension",
  ListWasmExtensionRequestSchema,
  { parent: organization },
);

/** Where the name that differs begins in the calls of `createCall`, and how many digits it has. */
export const nameDigits = 8;

/** A creation; the name is a letter and `nameDigits` digits. */
export function createCall(name: string): Call {
  return grpcCall(WasmExtensions, "CreateWasmExtension", CreateWasmExtensionRequestSchema, {
    parent: organization,
    name,
    wasmExtension: extensionOf(0),
  });
}

/** A watch of what comes at a revision and after it. */
export function watchCall(startRevision: bigint): Call {
  return grpcCall(WatchService, "Watch", WatchRequestSchema, {
    parent: organization,
    startRevision,
  });
}

const get = create(GetWasmExtensionRequestSchema, { fqn });
const binary = Buffer.from(toBinary(GetWasmExtensionRequestSchema, get));
const json = Buffer.from(toJsonString(GetWasmExtensionRequestSchema, get));

function http1Get(headers: Call["headers"], body: Buffer): Call {
  return { path: getCall.path, headers, body };
}

/** Gets over HTTP/1.1. */
export const http1Gets = {
  "connect-binary": http1Get(
    { "content-type": "application/proto", "connect-protocol-version": "1" },
    binary,
  ),
  "connect-json": http1Get(
    { "content-type": "application/json", "connect-protocol-version": "1" },
    json,
  ),
  "web-binary": http1Get({ "content-type": "application/grpc-web+proto" }, enveloped(binary)),
  "web-json": http1Get({ "content-type": "application/grpc-web+json" }, enveloped(json)),
} as const;
