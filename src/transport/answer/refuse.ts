import { setImmediate } from "node:timers/promises";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  createEndStreamSerialization,
  endStreamFlag,
  errorToJson,
} from "@connectrpc/connect/protocol-connect";
import { jsonOptions } from "../../wire/options.ts";
import type { IncomingMessage } from "node:http";
import type { Exchange } from "../exchange.ts";
import { type RequestHead, setHead } from "../node-http.ts";
import { protocolOf } from "../request/call-shape.ts";
import type { RefusedRequest } from "../request/refusals.ts";
import { grpcStatus } from "./grpc-status.ts";
import { respond } from "./respond.ts";
import { discardRest, endUnfinishedRequest, refuseRest } from "./unfinished-request.ts";

const endStream = createEndStreamSerialization(jsonOptions);

/**
 * Answers a request with an error in the protocol of its content type, before a service has begun to
 * answer: a gRPC status for gRPC and gRPC-Web, else the JSON error of Connect, which people can read
 * as well.
 */
export async function refuse(exchange: Exchange, refusal: RefusedRequest): Promise<void> {
  const { head, response } = exchange;
  const { body, ...answer } = answerOf(head, refusal);
  const own = {
    ...Object.fromEntries(refusal.error.metadata),
    ...refusal.headers,
    ...answer.headers,
  };
  if ("stream" in response || (await hasArrived(response.req))) {
    if (exchange.isGone) {
      return;
    }
    endUnfinishedRequest(response);
    respond(response, answer.status, own, body);
    if (body.length === 0) {
      refuseRest(response);
    }
    return;
  }
  if (exchange.isGone) {
    return;
  }
  // The rest of the request would be taken for the next one. The answer has a length, so the client can
  // read it while the rest of its request is discarded.
  setHead(response, answer.status, {
    ...own,
    "Content-Length": String(body.length),
    Connection: "close",
  });
  response.write(body);
  await discardRest(response.req);
  response.end();
}

interface RefusedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

function answerOf(request: RequestHead, { error, httpStatus }: RefusedRequest): RefusedAnswer {
  const contentType = request.headers["content-type"] ?? "";
  const protocol = protocolOf(request);
  // A request that is not a Connect call is refused with an HTTP status, whatever its content type.
  switch (protocol === "connect-stream" && httpStatus !== undefined ? "connect" : protocol) {
    case "grpc":
    case "grpc-web":
      return { ...noBody, headers: { ...grpcStatus(error), "Content-Type": contentType } };
    case "connect-stream": {
      const end = endStream.serialize({ metadata: new Headers(), error });
      const headers = { "Content-Type": contentType };
      return { status: 200, headers, body: encodeEnvelope(endStreamFlag, end) };
    }
    case "connect":
    case "connect-get": {
      const body = Buffer.from(JSON.stringify(errorToJson(error, jsonOptions)));
      const status = httpStatus ?? codeToHttpStatus(error.code);
      const headers = { "Content-Type": "application/json", ...(status === 401 && challenge) };
      return { status, headers, body };
    }
  }
}

/** Says how to authenticate (RFC 9110, section 11.6.1). */
const challenge = { "WWW-Authenticate": "Bearer" };

const noBody = { status: 200, body: Buffer.alloc(0) };

/** Tells whether a request has arrived as a whole, once Node has parsed what it has received. */
async function hasArrived(request: IncomingMessage): Promise<boolean> {
  if (!request.complete) {
    await setImmediate();
  }
  return request.complete;
}
