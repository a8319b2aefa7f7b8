import type { DescMethod } from "@bufbuild/protobuf";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { queryOf, type RequestHead } from "../node-http.ts";
import { parseMediaType } from "./media-type.ts";
import {
  unsupportedContentType,
  unsupportedHttpMethod,
  unsupportedHttpVersion,
  unsupportedQuery,
} from "./refusals.ts";

/** The protocols that a call can be made in. */
export type Protocol = "connect" | "connect-get" | "connect-stream" | "grpc" | "grpc-web";

/** How messages are written. */
export type Format = "json" | "binary";

/** The form of a call, from the head of its request. */
export interface CallShape {
  readonly protocol: Protocol;
  readonly format: Format;
  /** The content type in the form that Connect knows; undefined for a GET. */
  readonly contentType: string | undefined;
}

/** The content types of all protocols. */
const shapes: ReadonlyMap<string, readonly [Protocol, Format]> = new Map([
  ["application/json", ["connect", "json"]],
  ["application/proto", ["connect", "binary"]],
  ["application/connect+json", ["connect-stream", "json"]],
  ["application/connect+proto", ["connect-stream", "binary"]],
  ["application/grpc", ["grpc", "binary"]],
  ["application/grpc+proto", ["grpc", "binary"]],
  ["application/grpc+json", ["grpc", "json"]],
  ["application/grpc-web", ["grpc-web", "binary"]],
  ["application/grpc-web+proto", ["grpc-web", "binary"]],
  ["application/grpc-web+json", ["grpc-web", "json"]],
]);

/** The shapes of calls by their content types as clients write them: with one answer, and with a stream. */
const usualShapes = { one: shapesBut("connect-stream"), stream: shapesBut("connect") };

function shapesBut(other: Protocol): ReadonlyMap<string, CallShape> {
  return new Map(
    [...shapes]
      .filter(([, [protocol]]) => protocol !== other)
      .map(([contentType, [protocol, format]]) => [contentType, { protocol, format, contentType }]),
  );
}

/**
 * The shape of a call whose head has nothing unusual, as most calls have; undefined for other calls.
 *
 * @param answers - whether it has one answer or a stream of them
 */
export function usualShape(
  head: RequestHead,
  answers: keyof typeof usualShapes,
): CallShape | undefined {
  const { method, headers, httpVersionMajor } = head;
  const shape = usualShapes[answers].get(headers["content-type"] ?? "");
  return method === "POST" &&
    headers.expect === undefined &&
    (headers.host ?? head.authority) !== undefined &&
    (headers["transfer-encoding"] ?? "chunked") === "chunked" &&
    (shape?.protocol !== "grpc" || httpVersionMajor === 2)
    ? shape
    : undefined;
}

/** The content types that are answered in gRPC or gRPC-Web, whether they are supported or not. */
const grpcType = /^application\/(grpc(?:-web)?)(?:$|\+)/;

/** The protocol that a request is answered in when it is refused. */
export function protocolOf({ headers, method }: RequestHead): Protocol {
  const { type = "" } = parseMediaType(headers["content-type"] ?? "") ?? {};
  const known = shapes.get(type)?.[0] ?? (grpcType.exec(type)?.[1] as Protocol | undefined);
  return known ?? (method === "GET" ? "connect-get" : "connect");
}

/** Tells whether each message of a protocol has an envelope. */
export function isEnveloped(protocol: Protocol): boolean {
  return protocol !== "connect" && protocol !== "connect-get";
}

/**
 * Reads the shape of a call.
 *
 * Raises a RefusedRequest if the method is not called that way.
 *
 * @param handler - of the method that the request's path names
 */
export function callShape(
  { method, allowedMethods }: UniversalHandler,
  request: RequestHead,
): CallShape {
  if (method.methodKind === "bidi_streaming" && request.httpVersionMajor === 1) {
    throw unsupportedHttpVersion(method);
  }
  const httpMethod = request.method ?? "";
  const contentType = request.headers["content-type"] ?? "";
  const isGet = httpMethod === "GET";
  if (
    !allowedMethods.includes(httpMethod) ||
    (isGet && contentType.startsWith("application/grpc"))
  ) {
    throw unsupportedHttpMethod(method, httpMethod, isGet ? ["POST"] : allowedMethods);
  }
  return isGet ? getShape(request, contentType) : postShape(method, contentType);
}

function getShape(request: RequestHead, contentType: string): CallShape {
  const encoding = queryOf(request).get("encoding");
  if ((encoding !== "json" && encoding !== "proto") || !isUnaryConnect(contentType)) {
    throw unsupportedQuery();
  }
  const format = encoding === "json" ? "json" : "binary";
  return { protocol: "connect-get", format, contentType: undefined };
}

/** A GET has no content; several clients send a content type all the same. */
function isUnaryConnect(contentType: string): boolean {
  const type = parseMediaType(contentType)?.type ?? "";
  return contentType === "" || shapes.get(type)?.[0] === "connect";
}

function postShape(method: DescMethod, contentType: string): CallShape {
  const media = parseMediaType(contentType);
  const [protocol, format] = shapes.get(media?.type ?? "") ?? [];
  const isStream = method.methodKind !== "unary";
  if (
    media === undefined ||
    protocol === undefined ||
    format === undefined ||
    protocol === (isStream ? "connect" : "connect-stream") ||
    (format === "json" && !/^utf-?8$/i.test(media.parameters.get("charset") ?? "utf-8"))
  ) {
    throw unsupportedContentType(method, contentType);
  }
  return { protocol, format, contentType: media.type };
}
