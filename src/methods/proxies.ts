import { hash } from "node:crypto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type Proxy,
  ProxySchema,
  type Status,
  StatusSchema,
} from "../../gen/wasmext/v1/proxy_pb.ts";
import {
  GetStatusRequestSchema,
  GetStatusResponseSchema,
  ListProxiesRequestSchema,
  ListProxiesResponseSchema,
  type ProxyService,
  WatchProxiesBookmarkSchema,
  WatchProxiesRequestSchema,
  WatchProxiesResponseSchema,
  WatchStatusRequestSchema,
  WatchStatusResponseSchema,
} from "../../gen/wasmext/v1/proxy_service_pb.ts";
import { findVisible } from "../catalog/access/viewer.ts";
import { notFound } from "../catalog/errors.ts";
import { isExtension, organizationOf } from "../catalog/names/fqn.ts";
import { maxPageSize, tokenOf } from "../catalog/reads/pages.ts";
import type { State } from "../catalog/state/state.ts";
import { validated } from "../catalog/rules/validate.ts";
import { mappedSource, type Source } from "../catalog/watch/source.ts";
import { inOrder, type Proxies } from "../xds/proxies.ts";
import { statusOf } from "../xds/rollup.ts";
import type { ProxySession } from "../xds/session.ts";
import { proxyOf } from "../xds/status.ts";
import { messageAnswer } from "./answer.ts";
import type { Call, ServiceMethods, StreamCall } from "./method.ts";

/** The service `wasmext.v1.ProxyService`. */
export function proxyStatus(proxies: Proxies): ServiceMethods<typeof ProxyService> {
  const present = createPresent(proxies);
  return {
    listProxies: {
      accept: (request) => validated(ListProxiesRequestSchema, request),
      access: { permission: "READ", resource: ({ parent }) => parent },
      handle: (request, call) =>
        messageAnswer(ListProxiesResponseSchema, page(proxies, request, call)),
    },
    watchProxies: {
      accept: (request) => validated(WatchProxiesRequestSchema, request),
      access: { permission: "READ", resource: ({ parent }) => parent },
      handle: ({ parent }) =>
        mappedSource(watchProxies(proxies, parent), (event) =>
          messageAnswer(WatchProxiesResponseSchema, { event }),
        ),
    },
    getStatus: {
      accept: (request) => validated(GetStatusRequestSchema, request),
      access: { permission: "READ", resource: ({ fqn }) => fqn },
      handle: ({ fqn }, call) =>
        messageAnswer(GetStatusResponseSchema, { status: present(fqn, call).status }),
    },
    watchStatus: {
      accept: (request) => validated(WatchStatusRequestSchema, request),
      access: { permission: "READ", resource: ({ fqn }) => fqn },
      handle: ({ fqn }, call) =>
        mappedSource(watchStatus(proxies, present, fqn, call), (status) =>
          messageAnswer(WatchStatusResponseSchema, { status }),
        ),
    },
  };
}

/** How many plugins the proxies of a page may have together; a page has one proxy at least. */
export const maxPagePlugins = 50_000;

type ProxyEvent = NonNullable<MessageInitShape<typeof WatchProxiesResponseSchema>["event"]>;

function page(
  proxies: Proxies,
  { parent, pageSize, pageToken }: { parent: string; pageSize: number; pageToken: string },
  { reader, principal }: Call,
): { proxies: Proxy[]; nextPageToken: string } {
  const list = `proxies:${parent}`;
  const { name } = principal;
  const after = pageToken === "" ? "" : tokenOf(reader, list, name, pageToken).after;
  const limit = pageSize === 0 ? Infinity : Math.min(pageSize, maxPageSize);
  const shown: Proxy[] = [];
  let plugins = 0;
  for (const session of inOrder(proxies.sessions)) {
    const proxy = session.uid > after ? proxyOf(session, parent) : undefined;
    if (proxy === undefined) {
      continue;
    }
    const last = shown.at(-1);
    // A slot without plugins takes room, too.
    plugins += proxy.slots.reduce((sum, { links }) => sum + Math.max(links.length, 1), 0);
    if (last !== undefined && (shown.length === limit || plugins > maxPagePlugins)) {
      const next = { list, revision: 0n, after: last.uid };
      return { proxies: shown, nextPageToken: reader.pageTokens.format(name, next) };
    }
    shown.push(proxy);
  }
  return { proxies: shown, nextPageToken: "" };
}

/** Each proxy under a parent as it is now, a bookmark, and each that has changed. */
function watchProxies(proxies: Proxies, parent: string): Source<ProxyEvent> {
  const changed = new Set<ProxySession>(proxies.sessions);
  /** What was sent last of each proxy. */
  const sent = new Map<ProxySession, string>();
  let isFirst = true;
  return {
    dueAt: Infinity,
    read(isOver) {
      for (const session of changed) {
        if (isOver()) {
          return "more";
        }
        changed.delete(session);
        const event = proxyEvent(session, parent, sent);
        if (event !== undefined) {
          return event;
        }
      }
      if (isFirst) {
        isFirst = false;
        return { case: "bookmark", value: create(WatchProxiesBookmarkSchema) };
      }
      return "caught-up";
    },
    subscribe: (notify) =>
      proxies.subscribe((session) => {
        changed.add(session);
        notify();
      }),
  };
}

/** What has happened to a proxy since it was sent last; undefined if nothing has. */
function proxyEvent(
  session: ProxySession,
  parent: string,
  sent: Map<ProxySession, string>,
): ProxyEvent | undefined {
  const proxy = proxyOf(session, parent);
  if (proxy === undefined) {
    return sent.delete(session) ? { case: "removed", value: session.uid } : undefined;
  }
  const digest = hash("sha256", toBinary(ProxySchema, proxy), "base64url");
  if (sent.get(session) === digest) {
    return undefined;
  }
  sent.set(session, digest);
  return { case: "put", value: proxy };
}

/** A status as it is at present. */
interface PresentStatus {
  readonly status: Status;
  /** Tells it from others, whatever their revisions. */
  readonly digest: string;
}

/** Finds the status of an fqn for a caller; raises a CatalogError of the kind not-found if there is none. */
type Present = (fqn: string, call: Pick<Call, "reader" | "principal">) => PresentStatus;

/** Watchers of one status ask for it one after the other, so that it is made once for those of a turn. */
function createPresent(proxies: Proxies): Present {
  let latest: (PresentStatus & { readonly state: State; readonly grants: unknown }) | undefined;
  const forget = (): void => {
    latest = undefined;
  };
  proxies.subscribe(forget);
  return (fqn, { reader, principal }) => {
    const { state } = reader;
    // The status of a target is the same for all who may read it.
    const grants = isExtension(fqn) ? principal.grants : undefined;
    if (isExtension(fqn) && findVisible(state, principal, fqn) === undefined) {
      throw notFound(fqn);
    }
    if (latest?.status.fqn !== fqn || latest.state !== state || latest.grants !== grants) {
      const status = statusOf(proxies, state, principal, fqn);
      // A commit that changes nothing here is no news.
      const bytes = toBinary(StatusSchema, { ...status, revision: 0n });
      latest = { status, digest: hash("sha256", bytes, "base64url"), state, grants };
      setImmediate(forget);
    }
    return latest;
  };
}

/** The status as it is now, and again whenever it has changed. */
function watchStatus(
  proxies: Proxies,
  present: Present,
  fqn: string,
  call: StreamCall,
): Source<Status> {
  const { reader } = call;
  let sent: string | undefined;
  return {
    dueAt: Infinity,
    read(isOver) {
      if (isOver()) {
        return "more";
      }
      const { status, digest } = present(fqn, call);
      if (digest === sent) {
        return "caught-up";
      }
      sent = digest;
      return status;
    },
    subscribe(notify) {
      const leave = proxies.subscribe(notify);
      const leaveCommits = reader.commitNotifier.subscribe(organizationOf(fqn), notify);
      return () => {
        leave();
        leaveCommits();
      };
    },
  };
}
