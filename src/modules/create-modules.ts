/*
 * WebAssembly modules for proxies: fetched from where users say, checked, and cached on disk.
 *
 *   network/          which addresses are connected to, and requests to them
 *   oci/              registries: references, logins, manifests, layers
 *   fetch-file.ts     HTTP servers
 *   wasm/             what a proxy can load
 *   cache/            modules on disk, and what each source had last
 *   followed-source.ts  one source: when it is fetched, looked at again, and tried again
 */
import { messageOf } from "../catalog/message-of.ts";
import { createModuleCache } from "./cache/cache.ts";
import { sourceKey } from "./cache/records.ts";
import { createFetch } from "./fetch-module.ts";
import { type FollowedSource, followSource } from "./followed-source.ts";
import { defaultCacheBytes, defaultMaxModuleBytes, defaultTiming, type Timing } from "./limits.ts";
import { createNetworkPolicy } from "./network/policy.ts";
import { createResolver, type Lookup, lookupInSystem } from "./network/resolve.ts";
import { openPullSecrets } from "./oci/pull-secrets.ts";
import type { Modules, ModuleSource } from "./modules.ts";
import { ModuleFault } from "./problem.ts";

/** Options of modules. */
export interface ModulesOptions {
  /** The folder of the cache. It is made when the first module is followed. */
  readonly folder: string;
  /** How much the cache takes, in bytes. Default: `defaultCacheBytes`. */
  readonly cacheBytes?: number;
  /** The greatest module, in bytes. Default: `defaultMaxModuleBytes`. */
  readonly maxModuleBytes?: number;
  /** Networks that are fetched from though they are not public, as ADDRESS/PREFIX. Default: none. */
  readonly allowedNetworks?: readonly string[];
  /** The folder of pull secrets. Default: there are none. */
  readonly pullSecrets?: string | undefined;
  /** Default: `defaultTiming`. */
  readonly timing?: Partial<Timing>;
  /** Where failures are logged. Default: nowhere. */
  readonly warn?: (text: string) => void;
  /** Finds the addresses of names. Default: as the system does. */
  readonly lookup?: Lookup;
  /** Certificates of authorities to trust, in PEM. Default: those of Node, and of NODE_EXTRA_CA_CERTS. */
  readonly ca?: string;
}

/** A source with those who follow it. */
interface Entry {
  readonly followed: FollowedSource;
  readonly followers: Set<() => void>;
  /** Ends the source that nobody follows. */
  linger: NodeJS.Timeout | undefined;
}

/** Creates the modules. Nothing is made on disk before one is followed. */
export function createModules(options: ModulesOptions): Modules {
  const timing = { ...defaultTiming, ...options.timing };
  const { maxModuleBytes = defaultMaxModuleBytes, cacheBytes = defaultCacheBytes } = options;
  const warn = options.warn ?? (() => undefined);
  const cache = createModuleCache({ folder: options.folder, maxBytes: cacheBytes, maxModuleBytes });
  const policy = createNetworkPolicy(options.allowedNetworks ?? []);
  const fetch = createFetch({
    cache,
    maxModuleBytes,
    timing,
    resolveFor: createResolver(policy, options.lookup ?? lookupInSystem),
    secrets: openPullSecrets(options.pullSecrets),
    ca: options.ca,
  });
  const entries = new Map<string, Entry>();
  /** Sources that are ending. */
  const ending = new Set<Promise<void>>();

  const begin = (source: ModuleSource): Entry => {
    const followers = new Set<() => void>();
    const followed = followSource(source, { cache, timing, fetch, warn }, () => {
      for (const follower of followers) {
        try {
          follower();
        } catch (error) {
          warn(`a change of a module cannot be dealt with: ${messageOf(error)}`);
        }
      }
    });
    return { followed, followers, linger: undefined };
  };
  const end = (key: string, { followed }: Entry): void => {
    entries.delete(key);
    const stopped = followed.stop().finally(() => ending.delete(stopped));
    ending.add(stopped);
  };

  return {
    follow(source, changed) {
      const key = `${source.pullPolicy} ${sourceKey(source)}`;
      const entry = entries.get(key) ?? begin(source);
      entries.set(key, entry);
      if (entry.linger !== undefined) {
        clearTimeout(entry.linger);
        entry.linger = undefined;
        entry.followed.retry();
      }
      // One follower may follow twice with the same function.
      const follower = (): void => {
        changed();
      };
      entry.followers.add(follower);
      return {
        get state() {
          return entry.followed.state;
        },
        stop() {
          const isLast = entry.followers.delete(follower) && entry.followers.size === 0;
          if (isLast && entries.get(key) === entry) {
            entry.linger = setTimeout(() => {
              end(key, entry);
            }, timing.lingerMs).unref();
          }
        },
      };
    },

    async bytes(digest) {
      try {
        return await cache.read(digest);
      } catch (error) {
        const following = [...entries.values()].filter(
          ({ followed: { state } }) => state.kind === "ready" && state.module.digest === digest,
        );
        if (!(error instanceof ModuleFault) || following.length === 0) {
          throw error;
        }
        await Promise.all(following.map(({ followed }) => followed.fetchAgain()));
        return await cache.read(digest);
      }
    },

    async close() {
      for (const [key, entry] of entries) {
        clearTimeout(entry.linger);
        end(key, entry);
      }
      await Promise.all(ending);
      await cache.close();
    },
  };
}
