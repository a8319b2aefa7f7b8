import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** A request as Node hands it over, from HTTP/1.1 or HTTP/2. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** A response as Node takes it, for HTTP/1.1 or HTTP/2. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Handles requests of both versions. */
export type NodeListener = (request: NodeRequest, response: NodeResponse) => void;

/** The path of a request, without its query. */
export function pathOf({ url = "" }: { readonly url?: string | undefined }): string {
  return url.split("?", 1)[0] ?? "";
}

/** Answers a request as a whole; headers that were set before stay. */
export function respond(
  response: NodeResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body = "",
): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, value);
  }
  response.end(body);
}
