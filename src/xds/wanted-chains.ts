/*
 * What proxies should run: the chain of a target, with the modules of its links. All proxies of a target share
 * one, and its modules are followed as long as there are some.
 */
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WorkloadMode as Mode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import type { Chain, ChainLink } from "../../gen/wasmext/v1/chain_pb.ts";
import { messageOf } from "../catalog/message-of.ts";
import { lastSegment } from "../catalog/names/fqn.ts";
import { targetOf } from "../catalog/names/target.ts";
import { notifyAll, subscribeTo, type Subscriptions } from "../catalog/state/subscriptions.ts";
import type { Reader } from "../catalog/store.ts";
import type { FollowedModule, Modules, ModuleState } from "../modules/modules.ts";
import type { ModuleProblem } from "../modules/problem.ts";
import { type Filter, type OnFailure, type PluginCode, pluginFilter } from "./filter.ts";

/** Why there is no filter for a plugin. */
export type PluginProblem =
  ModuleProblem | { readonly reason: "NO_SUCH_SLOT"; readonly message: string };

/** A link of a chain, as far as the server can have it run. Its value never changes. */
export interface WantedLink {
  /** Identifies the attachment on its target; see Filter. */
  readonly key: string;
  readonly fqn: string;
  readonly position: number;
  readonly phase: Phase;
  /** The traffic that it gets. */
  readonly match: ChainLink["match"];
  /** What becomes of requests where it cannot run. */
  readonly onFailure: OnFailure;
  /** The filter that runs it, while its module is fetched, or why there is no module. */
  readonly plugin: Filter | "fetching" | PluginProblem;
  /** Why the module may not be the latest; undefined if it is. */
  readonly warning?: ModuleProblem | undefined;
}

/** What the proxies of a target should run. Its value never changes. */
export interface WantedChain {
  /** The revision of the chain. */
  readonly revision: bigint;
  /** Those of any traffic, in execution order; undefined if no chain could be resolved yet. */
  readonly links: readonly WantedLink[] | undefined;
  /**
   * Whether the modules of a change may be there in a moment: it is worth waiting for them, so that no proxy
   * runs half of the change.
   */
  readonly isSettling: boolean;
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
    match: [],
    onFailure,
    plugin: { reason: "NO_SUCH_SLOT", message },
  };
  return { revision: 0n, links: [link], isSettling: false, problem: message };
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
  follow(target: string, changed: () => void): FollowedChain;
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
    follow(target, changed) {
      const shared = open.get(target) ?? new SharedChain(target, options);
      open.set(target, shared);
      const leave = subscribeTo(shared.subscriptions, changed);
      return {
        get current() {
          return shared.current;
        },
        stop() {
          if (leave() && shared.subscriptions.size === 0) {
            open.delete(target);
            shared.close();
          }
        },
      };
    },
  };
}

/** All traffic. */
const anyTraffic = { mode: Mode.UNDEFINED, port: 0 };

/** For how long a change waits for a module, in ms; most are there sooner, and those of the cache at once. */
const settleMs = 300;

/** A module of a chain. */
interface ChainModule {
  readonly followed: FollowedModule;
  /** Since when it is followed, in ms of `performance.now()`. */
  readonly sinceMs: number;
}

/** A link with what was made of it, as long as neither changes. */
interface MadeLink {
  readonly link: ChainLink;
  readonly state: ModuleState | PluginCode;
  readonly wanted: WantedLink;
}

/** The chain of a target, for all its proxies. */
class SharedChain {
  readonly subscriptions: Subscriptions = new Set();
  readonly #target: string;
  readonly #options: WantedChainsOptions;
  readonly #modules = new Map<string, ChainModule>();
  readonly #leave: () => void;
  /** What was made of the links of the latest chain, by their keys. */
  #made = new Map<string, MadeLink>();
  #chain: Chain | undefined;
  #latest: WantedChain = {
    revision: 0n,
    links: undefined,
    isSettling: false,
    problem: undefined,
  };
  /** Why the latest chain could not be resolved. */
  #problem: string | undefined;
  /** When modules are no longer waited for, in ms of `performance.now()`. */
  #settlesUntil = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #isChainStale = true;
  #isStale = true;

  constructor(target: string, options: WantedChainsOptions) {
    this.#target = target;
    this.#options = options;
    this.#leave = options.reader.chainNotifier.subscribe(target, () => {
      this.#isChainStale = true;
      this.#change();
    });
  }

  get current(): WantedChain {
    if (this.#isStale) {
      this.#isStale = false;
      this.#latest = this.#resolve();
    }
    return this.#latest;
  }

  close(): void {
    this.#leave();
    clearTimeout(this.#timer);
    for (const { followed } of this.#modules.values()) {
      followed.stop();
    }
  }

  readonly #change = (): void => {
    this.#isStale = true;
    notifyAll(this.subscriptions);
  };

  #resolve(): WantedChain {
    const { reader } = this.#options;
    if (this.#isChainStale) {
      this.#isChainStale = false;
      this.#problem = undefined;
      try {
        this.#chain = reader.latestChain.resolve(reader.state, this.#target, anyTraffic).chain;
      } catch (error) {
        this.#problem = messageOf(error);
      }
    }
    const problem = this.#problem;
    if (this.#chain === undefined) {
      return { ...this.#latest, problem };
    }
    const links = this.#wanted(this.#chain);
    return { revision: this.#chain.revision, links, isSettling: this.#isSettling(), problem };
  }

  /**
   * Whether a module may be there in a moment; the chain changes when the moment is over. Modules that are added
   * meanwhile do not prolong it, so that a target that changes again and again still gets its changes.
   */
  #isSettling(): boolean {
    clearTimeout(this.#timer);
    const fetching = [...this.#modules.values()].filter(
      ({ followed }) => followed.state.kind === "fetching",
    );
    const first = Math.min(
      ...fetching.map(({ sinceMs }) => sinceMs).filter((since) => since > this.#settlesUntil),
    );
    if (first !== Infinity && performance.now() >= this.#settlesUntil) {
      this.#settlesUntil = first + settleMs;
    }
    const leftMs = this.#settlesUntil - performance.now();
    if (fetching.length === 0 || leftMs <= 0) {
      return false;
    }
    this.#timer = setTimeout(this.#change, Math.ceil(leftMs));
    return true;
  }

  #wanted(chain: Chain): WantedLink[] {
    const keys = keysOf(chain);
    const needed = new Set<string>();
    const made = new Map<string, MadeLink>();
    const wanted = chain.links.map((link) => {
      const key = keys.get(link.position) ?? link.fqn;
      const state = this.#stateOf(link, needed);
      const before = this.#made.get(key);
      const one =
        before?.link === link && isSame(before.state, state)
          ? before
          : { link, state, wanted: this.#make(key, link, state, before) };
      made.set(key, one);
      return one.wanted;
    });
    this.#made = made;
    for (const [key, module] of this.#modules) {
      if (!needed.has(key)) {
        this.#modules.delete(key);
        module.followed.stop();
      }
    }
    return wanted;
  }

  #stateOf(link: ChainLink, needed: Set<string>): ModuleState | PluginCode {
    if (link.url.startsWith(fileScheme)) {
      return { file: link.url.slice(fileScheme.length) };
    }
    const source = {
      organization: lastSegment(targetOf(this.#target).organization),
      url: link.url,
      pullPolicy: link.imagePullPolicy,
      pullSecret: link.imagePullSecret,
    };
    const key = JSON.stringify(source);
    needed.add(key);
    const module = this.#modules.get(key) ?? {
      followed: this.#options.modules.follow(source, this.#change),
      sinceMs: performance.now(),
    };
    this.#modules.set(key, module);
    return module.followed.state;
  }

  #make(
    key: string,
    link: ChainLink,
    state: ModuleState | PluginCode,
    before: MadeLink | undefined,
  ): WantedLink {
    const { fqn, position, phase, match } = link;
    const onFailure = this.#options.onModuleFailure.get(phase) ?? "deny";
    const base = { key, fqn, position, phase, match, onFailure };
    if ("kind" in state && state.kind !== "ready") {
      return { ...base, plugin: state.kind === "fetching" ? state.kind : state.problem };
    }
    const code = "kind" in state ? { module: state.module } : state;
    const warning = "kind" in state ? state.problem : undefined;
    const last = before?.wanted.plugin;
    // To make a filter takes as long as its configuration is large, and few links of a chain change at once.
    const isKept =
      before !== undefined &&
      typeof last === "object" &&
      "hash" in last &&
      before.link.config === link.config &&
      before.link.vmConfig === link.vmConfig &&
      before.wanted.onFailure === onFailure &&
      isSameCode(before.state, code);
    const vm = `${this.#target} ${key}`;
    const plugin = isKept ? last : pluginFilter(link, { key, vm, code, onFailure });
    return { ...base, warning, plugin };
  }
}

const fileScheme = "file://";

function isSame(a: ModuleState | PluginCode, b: ModuleState | PluginCode): boolean {
  return a === b || ("file" in a && "file" in b && a.file === b.file);
}

function isSameCode(before: ModuleState | PluginCode, code: PluginCode): boolean {
  if ("file" in before || "file" in code) {
    return "file" in before && "file" in code && before.file === code.file;
  }
  return before.module?.digest === code.module.digest;
}

/**
 * The keys of the attachments of a target, by position: an extension that is attached again gets a number, in
 * the order of the set. Those that never run count, too.
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
