import { type NodeResponse, setHead } from "../node-http.ts";

/** Answers a request as a whole; headers that were set before stay. */
export function respond(
  response: NodeResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body?: Uint8Array | string,
): void {
  setHead(response, status, headers);
  // An empty body is not written: over HTTP/2 it would be a frame of its own, and gRPC clients take
  // headers that are followed by one for the beginning of an answer without a status.
  if (body === undefined || body.length === 0) {
    response.end();
  } else {
    response.setHeader("Content-Length", Buffer.byteLength(body));
    response.end(body);
  }
}
