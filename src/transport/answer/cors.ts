import { cors } from "@connectrpc/connect";
import type { OriginPolicy } from "../request/origin-policy.ts";
import { respond } from "./respond.ts";
import type { NodeRequest, NodeResponse } from "../node-http.ts";

/** How long browsers may remember a preflight's answer; Chromium allows 2 hours at most. */
const maxAgeSeconds = 7200;

const preflightHeaders: Readonly<Record<string, string>> = {
  "Access-Control-Allow-Methods": cors.allowedMethods.join(", "),
  "Access-Control-Allow-Headers": [...cors.allowedHeaders, "Authorization", "X-Tetrate-Token"].join(
    ", ",
  ),
  "Access-Control-Max-Age": String(maxAgeSeconds),
};
const exposedHeaders = cors.exposedHeaders.join(", ");

/**
 * Says to browsers what a page may do with the answer. Returns true if the request was a preflight,
 * which is answered then.
 */
export function applyCors(
  request: NodeRequest,
  response: NodeResponse,
  isAllowed: OriginPolicy,
): boolean {
  const { origin } = request.headers;
  response.setHeader("Vary", "Origin");
  if (origin !== undefined && isAllowed(origin)) {
    response.setHeader("Access-Control-Allow-Origin", origin);
    response.setHeader("Access-Control-Expose-Headers", exposedHeaders);
  }
  if (request.method !== "OPTIONS" || origin === undefined) {
    return false;
  }
  respond(response, 204, isAllowed(origin) ? preflightHeaders : {});
  return true;
}
