/* The refusals of requests that reach no service. */
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { excerpt } from "../../catalog/names/excerpt.ts";
import { rpcError } from "../../rpc/errors.ts";

/** Is raised if a request is refused for its head, before its body is read. */
export class RefusedRequest extends Error {
  /** The error to answer with, in the protocol of the request. */
  readonly error: ConnectError;
  /** For Connect; gRPC and gRPC-Web always answer 200. Default: the status of the error's code. */
  readonly httpStatus: number | undefined;
  /** Additional headers of the answer. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    error: ConnectError,
    httpStatus?: number,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(error.rawMessage);
    this.error = error;
    this.httpStatus = httpStatus;
    this.headers = headers;
  }
}

/** The request names no valid host. */
export function invalidHost(): RefusedRequest {
  const problem = "the request names no valid host; send a Host header or an :authority";
  return new RefusedRequest(rpcError(Code.InvalidArgument, "INVALID_HOST", problem), 400);
}

/** The server has reached its limit of connections, and all are in use. */
export function tooManyConnections(): RefusedRequest {
  const problem = "the server has reached its limit of connections, and all are in use";
  const remedy =
    "connect again later, share connections, or start it with a greater --max-connections";
  return new RefusedRequest(
    rpcError(Code.ResourceExhausted, "TOO_MANY_CONNECTIONS", `${problem}; ${remedy}`),
  );
}

/** No method has that path. */
export function unknownMethod(path: string): RefusedRequest {
  const shown = excerpt(path);
  const problem = `${shown} is not a method of this server`;
  const remedy = "POST to /{package.Service}/{Method}; server reflection lists the services";
  const text = `${problem}; ${remedy}`;
  const error = rpcError(Code.Unimplemented, "UNKNOWN_METHOD", text, { path: shown });
  return new RefusedRequest(error, 404);
}

/** The method cannot be called with that HTTP method. */
export function unsupportedHttpMethod(
  method: DescMethod,
  httpMethod: string,
  allowed: readonly string[],
): RefusedRequest {
  const text = `${method.name} is called with ${allowed.join(" or ")}, not ${httpMethod}`;
  const error = rpcError(Code.Unimplemented, "UNSUPPORTED_HTTP_METHOD", text);
  return new RefusedRequest(error, 405, { Allow: allowed.join(", ") });
}

/** The method needs another version of HTTP. */
export function unsupportedHttpVersion(method: DescMethod): RefusedRequest {
  const text = `${method.name} streams both ways; call it over HTTP/2`;
  const error = rpcError(Code.Unimplemented, "UNSUPPORTED_HTTP_VERSION", text);
  // Otherwise clients that go on sending would wait for ever.
  return new RefusedRequest(error, 505, { Connection: "close" });
}

/** A GET does not name its encoding in the query, or has another content type. */
export function unsupportedQuery(): RefusedRequest {
  const problem = "a GET names its encoding in the query, not in a content type";
  const remedy = "add encoding=json or encoding=proto, and send no content type";
  return unsupportedType(`${problem}; ${remedy}`);
}

/** No protocol has that content type for that method. */
export function unsupportedContentType(method: DescMethod, contentType: string): RefusedRequest {
  const types =
    method.methodKind === "unary"
      ? "application/json, application/proto, application/grpc or application/grpc-web"
      : "application/connect+json, application/connect+proto, application/grpc or application/grpc-web";
  return unsupportedType(
    `the content type ${excerpt(contentType)} is not supported; send ${types}, in UTF-8`,
  );
}

function unsupportedType(text: string): RefusedRequest {
  const error = rpcError(Code.InvalidArgument, "UNSUPPORTED_CONTENT_TYPE", text);
  return new RefusedRequest(error, 415);
}

/** CONNECT asks for a tunnel to another server, which is not a call. */
export function unsupportedTunnel(): RefusedRequest {
  const text = "this server is not a proxy, and opens no tunnels; call its methods with POST";
  return new RefusedRequest(rpcError(Code.Unimplemented, "UNSUPPORTED_HTTP_METHOD", text), 405, {
    Allow: "GET, POST",
  });
}

/** The body has a transfer coding besides chunked (RFC 9112, section 6.1). */
export function unsupportedTransferCoding(coding: string): RefusedRequest {
  const problem = `the transfer coding ${excerpt(coding)} is not supported`;
  const text = `${problem}; send chunked alone, and name a compression in Content-Encoding`;
  return new RefusedRequest(rpcError(Code.Unimplemented, "UNSUPPORTED_TRANSFER_CODING", text), 501);
}

/** The client expects something that the server does not do (RFC 9110, section 10.1.1). */
export function unsupportedExpectation(expectation: string): RefusedRequest {
  const text = `the expectation ${excerpt(expectation)} is not supported; expect 100-continue, or nothing`;
  return new RefusedRequest(rpcError(Code.Unimplemented, "UNSUPPORTED_EXPECTATION", text), 417);
}
