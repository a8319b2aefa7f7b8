import type { ConnectError } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { grpcMessage } from "./grpc-message.ts";

/** The headers or trailers of HTTP that tell of an error in gRPC. */
export function grpcStatus(error: ConnectError): Record<string, string> {
  const status = setTrailerStatus(new Headers(), error);
  status.set("grpc-message", grpcMessage(status.get("grpc-message") ?? ""));
  return Object.fromEntries(status);
}
