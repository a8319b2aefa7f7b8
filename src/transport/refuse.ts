import type { JsonWriteOptions } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { grpcMessage } from "./grpc-message.ts";
import { type NodeRequest, type NodeResponse, respond } from "./node-http.ts";

/**
 * Answers a request that reaches no service with an error in the protocol of its content type: a
 * gRPC status for gRPC and gRPC-Web, else the JSON error of Connect, which people can read as well.
 *
 * @param httpStatus - for Connect; gRPC and gRPC-Web always answer 200
 */
export function refuse(
  request: NodeRequest,
  response: NodeResponse,
  httpStatus: number,
  error: ConnectError,
  jsonOptions: Partial<JsonWriteOptions>,
): void {
  const contentType = request.headers["content-type"] ?? "";
  if (/^application\/grpc(?:-web)?(?:$|[+;])/i.test(contentType)) {
    const status = setTrailerStatus(new Headers(), error);
    status.set("grpc-message", grpcMessage(status.get("grpc-message") ?? ""));
    respond(response, 200, { "Content-Type": contentType, ...Object.fromEntries(status) });
  } else {
    const body = JSON.stringify(errorToJson(error, jsonOptions));
    respond(response, httpStatus, { "Content-Type": "application/json" }, body);
  }
}
