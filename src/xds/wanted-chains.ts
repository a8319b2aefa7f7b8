/*
 * What proxies should run: the chain of a target, with the modules of its links. All proxies of a target share
 * one, and its modules are followed as long as there are some.
 */
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { Chain, ChainLink } from "../../gen/wasmext/v1/chain_pb.ts";
import { messageOf } from "../catalog/message-of.ts";
import { lastSegment } from "../catalog/names/fqn.ts";
import { targetOf } from "../catalog/names/target.ts";
import type { Traffic } from "../catalog/reads/traffic.ts";
import { notifyAll, subscribeTo, type Subscriptions } from "../catalog/state/subscriptions.ts";
import type { Reader } from "../catalog/store.ts";
import type { FollowedModule, Modules, ModuleState } from "../modules/modules.ts";
import type { ModuleProblem } from "../modules/problem.ts";
import { type Filter, type OnFailure, type PluginCode, pluginFilter } from "./filter.ts";

/** Why there is no filter for a plugin. */
export type PluginProblem =
  ModuleProblem | { readonly reason: "NO_SUCH_SLOT"; readonly message: string };

/** A link of a chain, as far as the server can have it run. */
export interface WantedLink {
  /** Identifies the attachment on its target; see Filter. */
  readonly key: string;
  readonly fqn: string;
  readonly position: number;
  readonly phase: Phase;
  /** What becomes of requests where it cannot run. */
  readonly onFailure: OnFailure;
  /** The filter that runs it, while its module is fetched, or why there is no module. */
  readonly plugin: Filter | "fetching" | PluginProblem;
  /** Why the module may not be the latest; undefined if it is. */
  readonly warning?: ModuleProblem | undefined;
}

/** What a proxy should run. Its value never changes. */
export interface WantedChain {
  /** The revision of the chain. */
  readonly revision: bigint;
  /** In execution order; undefined if no chain could be resolved yet. */
  readonly links: readonly WantedLink[] | undefined;
  /** Why the chain is not the latest; undefined if it is. */
  readonly problem: string | undefined;
}

/** What stands in a slot that a proxy cannot have. */
export function unfilled(message: string, onFailure: OnFailure): WantedChain {
  const link: WantedLink = {
    key: "slot",
    fqn: "",
    position: 0,
    phase: Phase.UNSPECIFIED_PHASE,
    onFailure,
    plugin: { reason: "NO_SUCH_SLOT", message },
  };
  return { revision: 0n, links: [link], problem: message };
}

/** A chain that somebody follows. */
export interface FollowedChain {
  /** As it is now. */
  readonly current: WantedChain;
  stop(): void;
}

/** All chains that somebody follows. */
export interface WantedChains {
  /** Follows the chain of a target. `changed` is called after each change, never by `follow` itself. */
  follow(target: string, traffic: Traffic, changed: () => void): FollowedChain;
}

/** What chains are made from. */
export interface WantedChainsOptions {
  readonly reader: Pick<Reader, "state" | "latestChain" | "chainNotifier">;
  readonly modules: Modules;
  /** How the links of a phase fail. */
  readonly onModuleFailure: ReadonlyMap<Phase, OnFailure>;
}

/** Creates the chains; nothing is followed yet. */
export function createWantedChains(options: WantedChainsOptions): WantedChains {
  const open = new Map<string, SharedChain>();
  return {
    follow(target, traffic, changed) {
      const key = `${target} ${traffic.mode} ${traffic.port}`;
      const shared = open.get(key) ?? openShared(target, traffic, options);
      open.set(key, shared);
      const leave = subscribeTo(shared.subscriptions, changed);
      return {
        get current() {
          return shared.current;
        },
        stop() {
          if (leave() && shared.subscriptions.size === 0) {
            open.delete(key);
            shared.close();
          }
        },
      };
    },
  };
}

interface SharedChain {
  readonly subscriptions: Subscriptions;
  readonly current: WantedChain;
  close(): void;
}

function openShared(target: string, traffic: Traffic, options: WantedChainsOptions): SharedChain {
  const { reader, modules, onModuleFailure } = options;
  const subscriptions: Subscriptions = new Set();
  const followed = new Map<string, FollowedModule>();
  /** The filters of the latest chain, by what they were made from. */
  let filters = new Map<string, Filter>();
  let latest: WantedChain | undefined;
  let isStale = true;
  const changed = (): void => {
    isStale = true;
    notifyAll(subscriptions);
  };
  const leave = reader.chainNotifier.subscribe(target, changed);

  const moduleOf = (link: ChainLink, needed: Set<string>): ModuleState | PluginCode => {
    const file = fileOf(link.url);
    if (file !== undefined) {
      return { file };
    }
    const source = sourceOf(target, link);
    const key = JSON.stringify(source);
    needed.add(key);
    const module = followed.get(key) ?? modules.follow(source, changed);
    followed.set(key, module);
    return module.state;
  };

  const wantedLinks = (chain: Chain): WantedLink[] => {
    const needed = new Set<string>();
    const made = new Map<string, Filter>();
    const keys = keysOf(chain);
    const wanted = chain.links.map((link): WantedLink => {
      const { fqn, position, phase } = link;
      const key = keys.get(position) ?? fqn;
      const onFailure = onModuleFailure.get(phase) ?? "deny";
      const state = moduleOf(link, needed);
      const warning = "kind" in state && state.kind === "ready" ? state.problem : undefined;
      const base = { key, fqn, position, phase, onFailure, warning };
      if ("kind" in state && state.kind !== "ready") {
        return { ...base, plugin: state.kind === "fetching" ? state.kind : state.problem };
      }
      const code = "kind" in state ? { module: state.module } : state;
      const plugin = pluginFilter(link, { key, vm: `${target} ${key}`, code, onFailure });
      const same = filters.get(plugin.hash) ?? plugin;
      made.set(plugin.hash, same);
      return { ...base, plugin: same };
    });
    filters = made;
    for (const [key, module] of followed) {
      if (!needed.has(key)) {
        followed.delete(key);
        module.stop();
      }
    }
    return wanted;
  };

  const resolve = (): WantedChain => {
    try {
      const { chain } = reader.latestChain.resolve(reader.state, target, traffic);
      return { revision: chain.revision, links: wantedLinks(chain), problem: undefined };
    } catch (error) {
      const { revision = 0n, links } = latest ?? {};
      return { revision, links, problem: messageOf(error) };
    }
  };
  return {
    subscriptions,
    get current() {
      if (isStale || latest === undefined) {
        isStale = false;
        latest = resolve();
      }
      return latest;
    },
    close() {
      leave();
      for (const module of followed.values()) {
        module.stop();
      }
    },
  };
}

/**
 * The keys of the attachments of a target, by position: an extension that is attached again gets a number, in
 * the order of the set. Those that the listener leaves out count, so that keys are the same for all listeners.
 */
function keysOf({ links, excluded }: Chain): Map<number, string> {
  const counts = new Map<string, number>();
  const keys = new Map<number, string>();
  for (const { fqn, position } of [...links, ...excluded].sort((a, b) => a.position - b.position)) {
    const count = (counts.get(fqn) ?? 0) + 1;
    counts.set(fqn, count);
    keys.set(position, count === 1 ? fqn : `${fqn}#${count}`);
  }
  return keys;
}

/** The path of a module in the file system of the proxy; undefined if it is elsewhere. */
function fileOf(url: string): string | undefined {
  return url.startsWith("file://") ? url.slice("file://".length) : undefined;
}

function sourceOf(target: string, link: ChainLink) {
  return {
    organization: lastSegment(targetOf(target).organization),
    url: link.url,
    pullPolicy: link.imagePullPolicy,
    pullSecret: link.imagePullSecret,
  };
}
