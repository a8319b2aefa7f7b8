/* What proxies run, as they are asked about. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  LinkEffect as Effect,
  LinkState,
  type Proxy,
  type ProxyLink,
  ProxyLinkSchema,
  ProxySchema,
  ProxySlotSchema,
} from "../../gen/wasmext/v1/proxy_pb.ts";
import { isUnder } from "../catalog/names/fqn.ts";
import type { OpenSlot, ProxySession } from "./session.ts";
import { filterOf } from "./slot.ts";
import type { WantedLink } from "./wanted-chains.ts";

/** A proxy with its slots for the targets under a parent; undefined if it has none. */
export function proxyOf(session: ProxySession, parent: string): Proxy | undefined {
  const { uid, node, connectedAt } = session;
  const slots = [...session.slots].flatMap((open) => {
    const { name, place, slot, problem = slot.problem, wanted } = open;
    if (place === undefined || !isUnder(parent, place.target)) {
      return [];
    }
    const { target, listener, phases } = place;
    return [
      create(ProxySlotSchema, {
        name,
        target,
        listener,
        phases: [...phases],
        runningRevision: slot.running?.revision ?? 0n,
        problem: problem ?? wanted.problem ?? "",
        links: wanted.links?.map((link) => proxyLink(session, open, link)) ?? [],
      }),
    ];
  });
  return slots.length === 0
    ? undefined
    : create(ProxySchema, {
        uid,
        nodeId: node?.id ?? "",
        nodeCluster: node?.cluster ?? "",
        version: node?.version ?? "",
        connectedAt: timestampFromMs(connectedAt),
        problem: node?.problem ?? "",
        slots,
      });
}

/** Whether a link runs in a slot as the catalog has it. */
export function isApplied({ slot, wanted }: OpenSlot, link: WantedLink): boolean {
  const filter = filterOf(link);
  return (
    filter !== undefined &&
    wanted.problem === undefined &&
    slot.runningAt(link.key)?.filter.hash === filter.hash
  );
}

/** How far a link has got in a slot. */
export function proxyLink(session: ProxySession, open: OpenSlot, link: WantedLink): ProxyLink {
  const { key, fqn, position } = link;
  const { slot } = open;
  const sinceRevision =
    slot.runningAt(key)?.filter.kind === "plugin" ? (slot.lastGood(key)?.since ?? 0n) : 0n;
  if (isApplied(open, link)) {
    const effect = Effect.RUNNING;
    const state = LinkState.APPLIED;
    const { reason = "", message = "" } = link.warning ?? {};
    return create(ProxyLinkSchema, {
      fqn,
      position,
      state,
      effect,
      sinceRevision,
      reason,
      message,
    });
  }
  const effect = effectOf(open, key);
  const progress = progressOf(session, open, link);
  const message = progress.message === "" ? "" : `${progress.message}; ${consequences[effect]}`;
  return create(ProxyLinkSchema, { fqn, position, ...progress, message, effect, sinceRevision });
}

function effectOf({ slot }: OpenSlot, key: string): Effect {
  if (slot.running?.filters === undefined) {
    return Effect.WAITING;
  }
  switch (slot.runningAt(key)?.filter.kind) {
    case "plugin":
      return Effect.LAST_GOOD;
    case "deny":
      return Effect.DENIED;
    case undefined:
      return Effect.LEFT_OUT;
  }
}

/** What becomes of requests, as the end of a sentence. */
const consequences: Readonly<Record<Effect, string>> = {
  [Effect.UNSPECIFIED]: "",
  [Effect.RUNNING]: "it runs",
  [Effect.LAST_GOOD]: "what ran before its last change goes on running",
  [Effect.DENIED]: "requests are answered with 503",
  [Effect.LEFT_OUT]: "requests pass without it",
  [Effect.WAITING]: "the proxy runs what it had before",
};

interface Progress {
  readonly state: LinkState;
  readonly reason: string;
  /** The beginning of a sentence; empty if all is well so far. */
  readonly message: string;
}

function progressOf(
  { node }: ProxySession,
  { slot, problem, wanted }: OpenSlot,
  link: WantedLink,
): Progress {
  const { plugin } = link;
  if (node?.problem !== undefined) {
    return { state: LinkState.REJECTED, reason: "PROXY_UNSUPPORTED", message: node.problem };
  }
  if (plugin === "fetching") {
    return { state: LinkState.FETCHING, reason: "", message: "" };
  }
  const filter = filterOf(link);
  if (filter === undefined) {
    return { state: LinkState.MODULE_FAILED, ...(plugin as { reason: string; message: string }) };
  }
  const refusal = slot.refusalOf(filter);
  if (refusal !== undefined) {
    return { state: LinkState.REJECTED, reason: "PROXY_REFUSED", message: refusedBy(refusal) };
  }
  if (slot.isLoading(filter)) {
    return { state: LinkState.FETCHING, reason: "", message: "" };
  }
  const whole = problem ?? slot.problem ?? wanted.problem;
  return whole === undefined
    ? { state: LinkState.PENDING, reason: "", message: "" }
    : { state: LinkState.REJECTED, reason: "SLOT_REFUSED", message: whole };
}

/** Proxies do not say whether a plugin has refused its configuration, has trapped, or cannot be loaded. */
function refusedBy(refusal: string): string {
  return refusal.startsWith("Unable to create Wasm plugin")
    ? `the proxy refuses it ("${refusal}"): its configuration, or its start, has failed; the log of the proxy says why`
    : `the proxy refuses it ("${refusal}")`;
}
