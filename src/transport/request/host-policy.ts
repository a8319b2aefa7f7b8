import { Code } from "@connectrpc/connect";
import { excerpt } from "../../catalog/names/excerpt.ts";
import { rpcError } from "../../rpc/errors.ts";
import { isLoopback } from "../connection/loopback.ts";
import { hostsOf, type RequestHead } from "../node-http.ts";
import type { OriginPolicy } from "./origin-policy.ts";
import { invalidHost, RefusedRequest } from "./refusals.ts";

/** Returns the refusal of a request for its host or origin; undefined if it may be answered. */
export type HostPolicy = (request: RequestHead) => RefusedRequest | undefined;

/** The options of a host policy. */
export interface HostPolicyOptions {
  /** The address that the server listens on. */
  readonly host: string;
  /** Names that requests may be for, besides those of loopback, in any case, without a port. */
  readonly allowedHosts: readonly string[];
  readonly isAllowedOrigin: OriginPolicy;
}

/**
 * Protects a server on loopback from web pages. A page can let its own name resolve to 127.0.0.1, and
 * browsers then treat the server as the page's own; they still send that name as the Host. On other
 * addresses a server cannot know its names, and every request passes.
 */
export function createHostPolicy(options: HostPolicyOptions): HostPolicy {
  return remembered(isLoopback(options.host) ? loopbackPolicy(options) : refusalOfHosts);
}

/** How many answers of a policy are remembered. */
const maxRemembered = 1_000;

/** The same policy with a cache of its latest answers. Most requests come from a few clients, for one host. */
function remembered(policy: HostPolicy): HostPolicy {
  const known = new Map<string, RefusedRequest | undefined>();
  return (request) => {
    const { origin } = request.headers;
    const question = JSON.stringify([hostsOf(request), origin, isOfProxy(request)]);
    if (known.has(question)) {
      return known.get(question);
    }
    if (known.size >= maxRemembered) {
      known.clear();
    }
    const refusal = policy(request);
    known.set(question, refusal);
    return refusal;
  };
}

function refusalOfHosts(request: RequestHead): RefusedRequest | undefined {
  const hosts = hostsOf(request);
  return hosts.every((host) => URL.canParse(`http://${host}`)) ? undefined : invalidHost();
}

function loopbackPolicy(options: HostPolicyOptions): HostPolicy {
  const allowed = new Set(options.allowedHosts.map((host) => bareHost(host)));
  const isAllowedHost = (host: string): boolean => {
    const bare = bareHost(host);
    return isLoopback(bare) || allowed.has(bare);
  };
  return (request) => {
    const invalid = refusalOfHosts(request);
    if (invalid !== undefined) {
      return invalid;
    }
    const hosts = hostsOf(request);
    const foreign = hosts.find((host) => !isAllowedHost(host));
    if (foreign !== undefined && !isOfProxy(request)) {
      return notAllowed("HOST_NOT_ALLOWED", `the host ${excerpt(foreign)}`, "--allow-host");
    }
    const { origin } = request.headers;
    if (origin === undefined || options.isAllowedOrigin(origin) || isSame(origin, hosts)) {
      return undefined;
    }
    return notAllowed("ORIGIN_NOT_ALLOWED", `the origin ${excerpt(origin)}`, "--allow-origin");
  };
}

/**
 * Tells whether a request is a proxy's, which knows the server by the name of a cluster. No page makes one: browsers
 * speak HTTP/2 with TLS only, and a page that takes the server for its own has no certificate for it.
 */
function isOfProxy(request: RequestHead): boolean {
  return (
    request.httpVersionMajor === 2 && /^\/(?:envoy\.service\.|modules\/)/.test(request.url ?? "")
  );
}

function notAllowed(reason: string, what: string, option: string): RefusedRequest {
  const problem = `${what} is not allowed on this server, which listens on loopback`;
  const remedy = `call it as localhost, or start it with ${option}`;
  return new RefusedRequest(rpcError(Code.PermissionDenied, reason, `${problem}; ${remedy}`));
}

/** Tells whether an origin is that of this server itself. */
function isSame(origin: string, hosts: readonly string[]): boolean {
  return URL.canParse(origin) && hosts.includes(new URL(origin).host);
}

/** The name or address in a host, in lower case, without the port and the final dot. */
function bareHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^(\[[^\]]*\]|[^:]*):\d*$/, "$1")
    .replace(/\.$/, "");
}
