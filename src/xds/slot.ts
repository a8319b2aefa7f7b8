/*
 * What a proxy runs in a slot, and what it should get next.
 *
 * 1. What is good keeps running until what replaces it is known to be good: a plugin that the proxy has refused,
 *    or whose module is not to be had, stays as the proxy ran it last.
 * 2. A plugin that never was good on the proxy is denied or left out, as its phase says.
 * 3. No plugin holds up another: the changes of its neighbours go on without its own.
 * 4. One answer at a time is under way, so that what the proxy says of it can be told apart.
 * 5. What a change removes runs until what the change adds is known to be good or bad: no request passes without
 *    the one and the other.
 */
import { createHash } from "node:crypto";
import type { Filter } from "./filter.ts";
import type { Place } from "./place.ts";
import type { WantedLink } from "./wanted-chains.ts";

/** What a slot is to run. */
export interface SlotContent {
  /** Tells contents apart. */
  readonly version: string;
  /** The revision of the chain that it was made from. */
  readonly revision: bigint;
  /** In order. */
  readonly filters: readonly Filter[];
}

/** A filter as it runs since a revision. */
interface Good {
  readonly filter: Filter;
  readonly since: bigint;
}

/** What the proxy runs in a slot. */
export interface Running {
  readonly version: string;
  readonly revision: bigint;
  /** Undefined if it was sent before the server was started. */
  readonly filters: readonly Filter[] | undefined;
}

/** The state of a slot on a proxy. */
export interface Slot {
  /** What the proxy runs; undefined if it has accepted nothing. */
  readonly running: Running | undefined;
  /** What the proxy has not answered yet. */
  readonly pending: SlotContent | undefined;
  /** Why the proxy has refused what it was sent, if no plugin is to blame. */
  readonly problem: string | undefined;
  /** Why the proxy refuses a filter; undefined if it does not. */
  refusalOf(filter: Filter): string | undefined;
  /** Whether the proxy is fetching the module of a filter. */
  isLoading(filter: Filter): boolean;
  /** The filter of an attachment that runs, and since when; undefined if there is none. */
  runningAt(key: string): Good | undefined;
  /** The plugin of an attachment that ran last, and since when; undefined if there was none. */
  lastGood(key: string): Good | undefined;
  /** What to send now; undefined if the proxy has it, or something has to be waited for. */
  next(wanted: readonly WantedLink[], revision: bigint): SlotContent | undefined;
  /** What is sent is under way. */
  sent(content: SlotContent): void;
  /**
   * The proxy runs what it was sent.
   *
   * @param shared - the same filters, as other slots that run them hold them
   */
  accept(shared?: readonly Filter[]): void;
  /**
   * The proxy has refused what it was sent.
   *
   * @param mayLack - whether the proxy may have refused a filter since it has yet to fetch its module
   */
  refuse(reason: string, mayLack: (filter: Filter) => boolean): void;
  /** The proxy has fetched a module. */
  loaded(digest: string): void;
  /** The proxy does not fetch a module: what it has refused, it has refused for another reason. */
  notLoaded(digest: string): void;
  /** The proxy asks for everything again. */
  resend(): void;
}

/** How filters that stand for others are made. */
export interface SlotOptions {
  /** What the proxy says that it runs, from an earlier connection; undefined if nothing. */
  readonly running?: Running | undefined;
  /** The filter that denies requests in the place of a plugin. */
  readonly deny: (key: string) => Filter;
  /** The slots between which extensions move; they hold this one as soon as it is made. Default: there are no others. */
  readonly place?: Place | undefined;
}

/** A slot of a proxy that has just asked for it. */
export function createSlot({ running: before, deny, place }: SlotOptions): Slot {
  let running = before;
  let pending: SlotContent | undefined;
  let problem: string | undefined;
  let isAskedAgain = false;
  /** The version that the proxy has refused without saying why. */
  let refusedVersion: string | undefined;
  /** One change at a time, to find the one that is refused. */
  let isSearching = false;
  /** Since which revisions the filters run, in their order. */
  let since: readonly bigint[] = [];
  /** The reasons of refusals, by the hashes of filters. */
  const refused = new Map<string, Refusal>();
  /** The filters whose modules the proxy is fetching, by the digests of the modules: their hashes, and what it said. */
  const loading = new Map<string, Map<string, string>>();
  /** The keys of plugins that are not known to be good or bad yet, and what ran when each of them was added. */
  const undecided = new Map<string, ReadonlySet<string>>();
  /** The hashes of filters whose modules the proxy has fetched, until it has accepted them. */
  const loadedFilters = new Set<string>();

  // To send another plugin with the module meanwhile makes the proxy fetch it once more.
  const isLoading = ({ module }: Filter): boolean =>
    module !== undefined && loading.has(module.digest);
  const runningAt = (key: string): Good | undefined => {
    const at = running?.filters && placesOf(running.filters).get(key);
    const filter = at === undefined ? undefined : running?.filters?.[at];
    return filter && { filter, since: since[at ?? 0] ?? 0n };
  };
  const runs = ({ key, hash }: Filter): boolean => runningAt(key)?.filter.hash === hash;
  const lastGood = (key: string): Good | undefined => {
    const last = runningAt(key);
    return last?.filter.kind === "plugin" && !refused.has(last.filter.hash) ? last : undefined;
  };

  const run = (content: SlotContent): void => {
    since = content.filters.map((filter) => {
      loadedFilters.delete(filter.hash);
      const before = runningAt(filter.key);
      return before?.filter.hash === filter.hash ? before.since : content.revision;
    });
    const here = placesOf(content.filters);
    for (const filter of running?.filters ?? []) {
      if (!here.has(filter.key)) {
        place?.left(filter);
      }
    }
    content.filters.forEach((filter) => {
      place?.came(filter);
    });
    running = content;
  };
  if (before?.filters !== undefined) {
    run({ ...before, filters: before.filters });
  }

  /** What stands for the plugin of a link: a filter, nothing, or `hold` if the slot has to stay as it is. */
  const standIn = (link: WantedLink, isUndecided: boolean): Filter | "hold" | undefined => {
    const last = runningAt(link.key)?.filter ?? place?.lastOf(link.key);
    if (last?.kind === "plugin" && !refused.has(last.hash)) {
      return last;
    }
    if (running !== undefined && running.filters === undefined) {
      // What the proxy runs may well be good.
      return "hold";
    }
    if (isUndecided && running !== undefined && last === undefined) {
      // The attachment is new, and requests pass as they did before.
      return undefined;
    }
    return link.onFailure === "deny" ? deny(link.key) : undefined;
  };

  /** The filters for links; undefined if the slot has to stay as it is. */
  const filtersFor = (links: readonly WantedLink[]): Filter[] | undefined => {
    const filters: Filter[] = [];
    const waiting = new Set<string>();
    let hasChange = false;
    for (const link of links) {
      const plugin = filterOf(link);
      const isWaiting = link.plugin === "fetching" || (plugin !== undefined && isLoading(plugin));
      if (isWaiting && running === undefined) {
        return undefined;
      }
      const isUsable = plugin !== undefined && !isWaiting && !refused.has(plugin.hash);
      const isChange = plugin !== undefined && !runs(plugin);
      const isLater = isUsable && isChange && isSearching && hasChange;
      hasChange ||= isUsable && isChange;
      if (isWaiting || isLater) {
        waiting.add(link.key);
      }
      const filter = isUsable && !isLater ? plugin : standIn(link, isWaiting || isLater);
      if (filter === "hold") {
        return undefined;
      }
      if (filter !== undefined) {
        filters.push(filter);
      }
    }
    if (waiting.size === 0) {
      undecided.clear();
      return filters;
    }
    return withRetained(filters, running?.filters ?? [], retained(links, waiting));
  };

  /** The keys of what was removed while plugins that have not been decided on were added. */
  const retained = (links: readonly WantedLink[], waiting: ReadonlySet<string>): Set<string> => {
    const wanted = new Set(links.map(({ key }) => key));
    const removed = new Set(running?.filters?.map(({ key }) => key)).difference(wanted);
    for (const key of new Set(undecided.keys()).difference(waiting)) {
      undecided.delete(key);
    }
    for (const key of waiting) {
      if (lastGood(key) === undefined) {
        // What is there again, and is removed later, is removed by another change.
        undecided.set(key, undecided.get(key)?.intersection(removed) ?? removed);
      }
    }
    return new Set([...undecided.values()].flatMap((keys) => [...keys]));
  };

  /** Forgets what is known of filters that are neither wanted nor run, and could not be sent again. */
  const forgetOthers = (links: readonly WantedLink[]): void => {
    if (refused.size === 0 && loadedFilters.size === 0) {
      return;
    }
    const hashes = new Set(
      [...links.map(filterOf), ...(running?.filters ?? [])].map((filter) => filter?.hash),
    );
    for (const known of [refused, loadedFilters]) {
      for (const hash of known.keys()) {
        if (!hashes.has(hash)) {
          known.delete(hash);
        }
      }
    }
  };

  return {
    get running() {
      return running;
    },
    get pending() {
      return pending;
    },
    get problem() {
      return problem;
    },
    refusalOf: ({ hash }) => refused.get(hash)?.reason,
    isLoading,
    runningAt,
    lastGood,
    next(links, revision) {
      if (pending !== undefined) {
        return undefined;
      }
      forgetOthers(links);
      const filters = filtersFor(links);
      if (filters === undefined) {
        return undefined;
      }
      const content = { version: versionOf(filters), revision, filters };
      if (isAskedAgain || content.version !== running?.version) {
        return content.version === refusedVersion ? undefined : content;
      }
      run(running.filters === undefined ? content : { ...content, filters: running.filters });
      isSearching = false;
      refusedVersion = undefined;
      problem = undefined;
      return undefined;
    },
    sent(content) {
      pending = content;
      isAskedAgain = false;
    },
    accept(shared) {
      if (pending !== undefined) {
        run(shared === undefined ? pending : { ...pending, filters: shared });
        pending = undefined;
        problem = undefined;
        refusedVersion = undefined;
      }
    },
    refuse(reason, mayLack) {
      const content = pending;
      if (content === undefined) {
        return;
      }
      pending = undefined;
      const changes = content.filters.filter((filter) => filter.kind === "plugin" && !runs(filter));
      const culprit =
        namedIn(content.filters, reason) ?? (changes.length === 1 ? changes[0] : undefined);
      if (culprit === undefined) {
        isSearching = changes.length > 1 && !isSearching;
        refusedVersion = isSearching ? undefined : content.version;
        problem = isSearching ? undefined : reason;
        return;
      }
      const { hash, module } = culprit;
      if (module !== undefined && mayLack(culprit) && !loadedFilters.has(hash)) {
        loading.set(
          module.digest,
          (loading.get(module.digest) ?? new Map<string, string>()).set(hash, reason),
        );
        return;
      }
      refused.set(hash, { reason, digest: module?.digest });
      // A listener that the proxy adds later begins with what the proxy got last, even if it has refused it.
      isAskedAgain = true;
    },
    loaded(digest) {
      for (const hash of loading.get(digest)?.keys() ?? []) {
        loadedFilters.add(hash);
      }
      loading.delete(digest);
      for (const [hash, refusal] of refused) {
        if (refusal.digest === digest) {
          // The proxy had lost the module.
          refused.delete(hash);
          loadedFilters.add(hash);
        }
      }
    },
    notLoaded(digest) {
      for (const [hash, reason] of loading.get(digest) ?? []) {
        refused.set(hash, { reason, digest });
      }
      loading.delete(digest);
    },
    resend() {
      isAskedAgain = true;
    },
  };
}

/** Why a filter is refused. */
interface Refusal {
  readonly reason: string;
  /** The digest of its module. */
  readonly digest: string | undefined;
}

/** The filter of a link; undefined if there is no module for it. */
export function filterOf({ plugin }: WantedLink): Filter | undefined {
  return typeof plugin === "object" && "hash" in plugin ? plugin : undefined;
}

/** The places of filters by their keys, made when they are asked for. */
const places = new WeakMap<readonly Filter[], ReadonlyMap<string, number>>();

function placesOf(filters: readonly Filter[]): ReadonlyMap<string, number> {
  let found = places.get(filters);
  if (found === undefined) {
    found = new Map(filters.map(({ key }, index) => [key, index]));
    places.set(filters, found);
  }
  return found;
}

/** The version of filters: the same for the same filters, whoever sends them. */
export function versionOf(filters: readonly Filter[]): string {
  const text = JSON.stringify(filters.map(({ key, hash }) => [key, hash]));
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

/** Filters, and among them some of those that run, each before what runs after it. */
function withRetained(
  filters: Filter[],
  running: readonly Filter[],
  keys: ReadonlySet<string>,
): Filter[] {
  let next: string | undefined;
  for (const filter of running.toReversed()) {
    if (keys.has(filter.key)) {
      const index = filters.findIndex(({ key }) => key === next);
      filters.splice(index === -1 ? filters.length : index, 0, filter);
    }
    next = filters.some(({ key }) => key === filter.key) ? filter.key : next;
  }
  return filters;
}

/** The plugin that a proxy's refusal names, or that has the file which it names. */
function namedIn(filters: readonly Filter[], reason: string): Filter | undefined {
  const [, named] =
    /(?:Unable to create Wasm plugin|environment_variables for) (\S+)/.exec(reason) ?? [];
  const [, path] = /^Invalid path: (.+)$/.exec(reason) ?? [];
  const plugins = filters.filter(({ kind }) => kind === "plugin");
  return (
    plugins.find(({ key }) => key === named) ??
    // A sentence may end after the name.
    plugins.find(({ key }) => `${key}.` === named) ??
    plugins.find(({ file }) => file !== undefined && file === path)
  );
}
