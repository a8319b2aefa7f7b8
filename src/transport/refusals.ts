/* What is said to requests that reach no service. */
import { base64Decode } from "@bufbuild/protobuf/wire";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { excerpt } from "../catalog/field-problem.ts";
import { rpcError } from "../rpc/errors.ts";
import type { NodeRequest } from "./node-http.ts";

/** Without a host there is no url that a request could be for. */
export function invalidHost(): ConnectError {
  const problem = "the request names no valid host; send a Host header or an :authority";
  return rpcError(Code.InvalidArgument, "INVALID_HOST", problem);
}

/** No method has that path. */
export function unknownMethod(path: string): ConnectError {
  const shown = excerpt(path);
  const problem = `${shown} is no method of this server`;
  const remedy = "POST to /{package.Service}/{Method}; server reflection lists the services";
  return rpcError(Code.Unimplemented, "UNKNOWN_METHOD", `${problem}; ${remedy}`, { path: shown });
}

/** Connect has refused the request by its method, version or content type, as the HTTP status says. */
export function unsupported(
  { allowedMethods, method }: UniversalHandler,
  request: NodeRequest,
  status: number,
): ConnectError {
  const contentType = request.headers["content-type"] ?? "";
  const isGet = request.method === "GET";
  if (status === 405 || (isGet && contentType.startsWith("application/grpc"))) {
    const methods = isGet ? "POST" : allowedMethods.join(" or ");
    const text = `${method.name} is called with ${methods}, not ${request.method ?? ""}`;
    return rpcError(Code.Unimplemented, "UNSUPPORTED_HTTP_METHOD", text);
  }
  switch (status) {
    case 505: {
      const text = `${method.name} streams both ways, which needs HTTP/2`;
      return rpcError(Code.Unimplemented, "UNSUPPORTED_HTTP_VERSION", text);
    }
    default: {
      if (isGet) {
        const text =
          "a GET says in its query what it sends; add encoding=json or encoding=proto, and send no content type";
        return rpcError(Code.InvalidArgument, "UNSUPPORTED_CONTENT_TYPE", text);
      }
      const sent = excerpt(contentType);
      const types =
        method.methodKind === "unary"
          ? "application/json, application/proto, application/grpc or application/grpc-web"
          : "application/connect+json, application/connect+proto, application/grpc or application/grpc-web";
      const text = `the content type ${sent} is not supported; send ${types}`;
      return rpcError(Code.InvalidArgument, "UNSUPPORTED_CONTENT_TYPE", text);
    }
  }
}

/**
 * Says if the message in the query of a GET cannot be decoded; Connect would answer INTERNAL.
 */
export function problemOfQuery({ method, url }: UniversalServerRequest): ConnectError | undefined {
  const query = new URL(url).searchParams;
  if (method !== "GET" || query.get("base64") !== "1") {
    return undefined;
  }
  try {
    base64Decode(query.get("message") ?? "");
    return undefined;
  } catch {
    const problem = "the message in the query is no base64";
    const remedy = "encode it with the URL-safe alphabet, or leave base64=1 out";
    return rpcError(Code.InvalidArgument, "UNREADABLE_REQUEST", `${problem}; ${remedy}`);
  }
}
