/* All proxies that are connected, and what they share. */
import { randomBytes } from "node:crypto";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { callerOf } from "../catalog/access/caller.ts";
import type { Principal } from "../catalog/access/principal.ts";
import { excerpt } from "../catalog/names/excerpt.ts";
import { compareText } from "../catalog/state/order.ts";
import { findAttachments } from "../catalog/state/state.ts";
import type { Reader } from "../catalog/store.ts";
import type { Modules } from "../modules/modules.ts";
import type { Pieces } from "../wire/pieces.ts";
import type { OnFailure } from "./filter.ts";
import { CallerUse } from "./caller-use.ts";
import { chainConfig, fetchedModules, type ModuleDelivery } from "./resource.ts";
import { type ProxyOrigin, ProxySession, type SessionContext } from "./session.ts";
import { createSentVersions } from "./sent-versions.ts";
import type { SlotContent } from "./slot.ts";
import { slotPhases } from "./slot-name.ts";
import { createWantedChains } from "./wanted-chains.ts";

/** Where the server says what it sees of proxies. */
export interface ProxyNotices {
  warn(text: string): void;
}

/** What proxies are served from. */
export interface ProxiesOptions {
  readonly reader: Pick<Reader, "state" | "incarnation" | "latestChain" | "chainNotifier">;
  readonly modules: Modules;
  /** What becomes of requests where a plugin cannot run, by its phase. Default: `defaultOnFailure`. */
  readonly onModuleFailure?: ReadonlyMap<Phase, OnFailure> | undefined;
  /** The greatest module that is sent with a configuration, in bytes. Default: 4 MiB. */
  readonly maxInlineBytes?: number | undefined;
  readonly notices: ProxyNotices;
}

/** The connected proxies. */
export interface Proxies {
  /** Adds a proxy, until it is disconnected. */
  connect(principal: Principal, origin?: ProxyOrigin): ProxySession;
  /** Ends a session. */
  disconnect(session: ProxySession): void;
  readonly sessions: Iterable<ProxySession>;
  /** The proxies that serve a target, in the order in which they came. */
  of(target: string): readonly ProxySession[];
  /** Calls `notify` after each change of what proxies run, or should run. Returns a function that ends it. */
  subscribe(notify: (session: ProxySession) => void): () => void;
  /** A module for the proxy that has been told to fetch it; undefined if there is none. */
  module(secret: string, digest: string): Promise<FetchedModule> | undefined;
}

/** A module on its way to a proxy. */
export interface FetchedModule {
  readonly bytes: Uint8Array;
  /** Is called when the proxy has all of it. */
  readonly done: () => void;
  /** Is called when it is no longer on its way. */
  readonly release: () => void;
}

/** Requests are denied where security is at stake, and pass elsewhere. */
export const defaultOnFailure: ReadonlyMap<Phase, OnFailure> = new Map([
  [Phase.AUTHN, "deny"],
  [Phase.AUTHZ, "deny"],
  [Phase.STATS, "skip"],
  [Phase.UNSPECIFIED_PHASE, "skip"],
]);

/** The defaults, changed by entries such as `stats=deny`. */
export function onModuleFailureOf(entries: readonly string[]): ReadonlyMap<Phase, OnFailure> {
  const changed = new Map(defaultOnFailure);
  for (const entry of entries) {
    const [phase = "", effect] = entry.split("=");
    const [number] = slotPhases.get(phase) ?? [];
    if (number !== undefined) {
      changed.set(number, effect === "deny" ? "deny" : "skip");
    }
  }
  return changed;
}

/** The default of the greatest module that is sent with a configuration, in bytes. */
export const defaultMaxInlineBytes = 4 * 1024 * 1024;

/** How many refusals are remembered. */
const maxRefusals = 10_000;

/** How many versions are remembered, how many filters they may have together, and how many bytes. */
const remembered = { versions: 10_000, filters: 50_000, bytes: 64 * 1024 * 1024 };

/** Creates the proxies of a server; none is connected. */
export function createProxies(options: ProxiesOptions): Proxies {
  const { reader, modules, notices } = options;
  const onModuleFailure = options.onModuleFailure ?? defaultOnFailure;
  const sessions = new Map<string, ProxySession>();
  const callers = new Map<string, CallerUse>();
  const bySecret = new Map<string, ProxySession>();
  const subscriptions = new Set<(session: ProxySession) => void>();
  const sent = createSentVersions(remembered);
  const refusals = new Map<string, number>();
  const configOf = createConfigs(modules, (version) => refusals.get(version) ?? 0);
  const byTarget = new Map<string, Set<ProxySession>>();
  const changed = (session: ProxySession): void => {
    for (const notify of subscriptions) {
      notify(session);
    }
  };
  const refused = (version: string): void => {
    const count = (refusals.get(version) ?? 0) + 1;
    refusals.delete(version);
    refusals.set(version, count);
    if (refusals.size > maxRefusals) {
      refusals.delete(refusals.keys().next().value ?? "");
    }
  };
  const context: SessionContext = {
    chains: createWantedChains({ reader, modules, onModuleFailure }),
    places: new Map(),
    get catalog() {
      return reader.incarnation;
    },
    hasAttachments: (target) => findAttachments(reader.state, target) !== undefined,
    onFailure: (phases) =>
      phases?.every((phase) => onModuleFailure.get(phase) === "skip") === true ? "skip" : "deny",
    maxInlineBytes: options.maxInlineBytes ?? defaultMaxInlineBytes,
    configOf,
    filtersOf: (version) => sent.get(version),
    accepted({ version, filters }) {
      const shared = sent.get(version) ?? filters;
      sent.set(version, shared);
      return shared;
    },
    refused,
    unanswered({ version, filters }) {
      // If it was refused, the same bytes would now be taken for good; if not, the proxy comes back with it.
      refused(version);
      sent.set(version, sent.get(version) ?? filters);
    },
    complains(session, slot, reason) {
      notices.warn(`proxy ${nameOf(session)} refuses what it got for ${slot}: ${reason}`);
    },
    unsupported(session, problem) {
      notices.warn(`proxy ${nameOf(session)} cannot run extensions: ${problem}`);
    },
    unfilled(session, slot, problem) {
      notices.warn(`proxy ${nameOf(session)} gets nothing for ${excerpt(slot)}: ${problem}`);
    },
    changed,
    serves(session, target, isServing) {
      const serving = byTarget.get(target) ?? new Set();
      if (isServing) {
        byTarget.set(target, serving.add(session));
      } else if (serving.delete(session) && serving.size === 0) {
        byTarget.delete(target);
      }
    },
  };
  return {
    connect(principal, origin) {
      const name = callerOf(principal, origin?.peer);
      const caller = callers.get(name) ?? new CallerUse(name);
      callers.set(name, caller);
      caller.proxies++;
      const session = new ProxySession({ uid: newUid(), principal, origin, caller }, context);
      sessions.set(session.uid, session);
      bySecret.set(session.secret, session);
      return session;
    },
    disconnect(session) {
      if (sessions.delete(session.uid)) {
        bySecret.delete(session.secret);
        session.end();
        const { caller } = session;
        if (--caller.proxies === 0) {
          callers.delete(caller.name);
        }
        changed(session);
      }
    },
    get sessions() {
      return sessions.values();
    },
    of: (target) => inOrder(byTarget.get(target) ?? []),
    subscribe(notify) {
      subscriptions.add(notify);
      return () => subscriptions.delete(notify);
    },
    module(secret, digest) {
      const session = bySecret.get(secret);
      if (session?.mayFetch(digest) !== true) {
        return undefined;
      }
      session.fetching(digest);
      const done = (): void => {
        session.fetched(digest);
      };
      const { caller } = session;
      return modules.bytes(digest).then((bytes) => {
        const module = { digest, size: bytes.byteLength };
        // One alone may be larger than all together.
        if (!caller.sendsNothing && caller.isTooMuch([], [module])) {
          throw new Error("too many modules are on the way to proxies of the caller");
        }
        caller.addModule(module);
        const release = (): void => {
          caller.removeModule(module);
        };
        return { bytes, done, release };
      });
    },
  };
}

/** Proxies in the order in which they came. */
export function inOrder(sessions: Iterable<ProxySession>): ProxySession[] {
  return [...sessions].sort((a, b) => compareText(a.uid, b.uid));
}

/** Identifies a connection: the time, and what nobody can guess. A number would tell how many others there are. */
function newUid(): string {
  return `${Date.now().toString(16).padStart(12, "0")}${randomBytes(6).toString("hex")}`;
}

/** How a proxy is called in a sentence. */
export function nameOf({ node }: ProxySession): string {
  return node === undefined || node.id === "" ? "without an id" : excerpt(node.id);
}

/** The configurations of slots. Those that were made last are kept, since all proxies of a target ask for them. */
function createConfigs(modules: Modules, refusalsOf: (version: string) => number) {
  // Bytes of an earlier process may have been refused, too.
  const epoch = randomBytes(4).toString("hex");
  const kept = new Map<string, Promise<Pieces>>();
  return (content: SlotContent, delivery: ModuleDelivery): Promise<Pieces> => {
    const { version, filters } = content;
    const generation = `${epoch}.${refusalsOf(version)}`;
    const hasOwnAddress = fetchedModules(filters, delivery).size > 0;
    const question = `${version} ${generation}`;
    const known = kept.get(question);
    if (known !== undefined && !hasOwnAddress) {
      return known;
    }
    const config = chainConfig(content, generation, modules, delivery);
    if (!hasOwnAddress) {
      kept.set(question, config);
      // A large configuration is not kept for long.
      const forget = (): void => {
        clearTimeout(timer);
        kept.delete(question);
      };
      const timer = setTimeout(forget, keptMs).unref();
      config.catch(forget);
    }
    return config;
  };
}

/** How long a configuration is kept, in ms. */
const keptMs = 1_000;
