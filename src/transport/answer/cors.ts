import { cors } from "@connectrpc/connect";
import type { OriginPolicy } from "../request/origin-policy.ts";
import { respond } from "./respond.ts";
import { type RequestHead, setHead } from "../node-http.ts";
import type { Exchange } from "../exchange.ts";

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

const always: Readonly<Record<string, string>> = { vary: "Origin" };

/** The headers that say to browsers what a page may do with the answer. */
export function corsHeaders(
  { headers: { origin } }: RequestHead,
  isAllowed: OriginPolicy,
): Readonly<Record<string, string>> {
  return origin === undefined || !isAllowed(origin)
    ? always
    : {
        ...always,
        "access-control-allow-origin": origin,
        "access-control-expose-headers": exposedHeaders,
      };
}

/** Sets these headers, for whatever the request is answered with. */
export function setCorsHeaders({ head, response }: Exchange, isAllowed: OriginPolicy): void {
  setHead(response, response.statusCode, corsHeaders(head, isAllowed));
}

/** Answers a preflight; returns false if the request is none. */
export function answersPreflight({ head, response }: Exchange, isAllowed: OriginPolicy): boolean {
  const { origin } = head.headers;
  if (head.method !== "OPTIONS" || origin === undefined) {
    return false;
  }
  respond(response, 204, isAllowed(origin) ? preflightHeaders : {});
  return true;
}
