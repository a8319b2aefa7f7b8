/* Fetches a module into the cache, within all limits, and checks it. */
import type { ModuleCache } from "./cache/cache.ts";
import type { HeldModule } from "./cache/holdings.ts";
import { isFullDisk } from "./cache/files.ts";
import type { Validator } from "./cache/records.ts";
import type { Draft } from "./cache/draft.ts";
import { createFairLimit } from "./fair-limit.ts";
import { fetchFile } from "./fetch-file.ts";
import type { Fetched, Fetching } from "./fetching.ts";
import type { Fetch } from "./followed-source.ts";
import { maxFetches, maxFetchesOfOne, type Timing } from "./limits.ts";
import type { ModuleSource } from "./modules.ts";
import { createClient } from "./network/client.ts";
import type { ResolveFor } from "./network/resolve.ts";
import { fetchImage } from "./oci/fetch-image.ts";
import type { PullSecrets } from "./oci/pull-secrets.ts";
import { ModuleFault } from "./problem.ts";
import { inspectModule } from "./wasm/inspect.ts";

/** What fetching needs. */
export interface FetchParts {
  readonly cache: ModuleCache;
  readonly resolveFor: ResolveFor;
  readonly secrets: PullSecrets;
  readonly maxModuleBytes: number;
  readonly timing: Timing;
  readonly ca?: string | undefined;
}

/** Creates what fetches modules, a few at a time. */
export function createFetch(parts: FetchParts): Fetch {
  const limit = createFairLimit(maxFetches, maxFetchesOfOne);
  return (source, known, signal) =>
    limit.run(source.organization, signal, () =>
      inTime(signal, parts.timing.totalMs, (whole) => fetchModule(source, known, whole, parts)),
    );
}

/** Does some work, which is aborted when it takes too long. */
async function inTime<Result>(
  signal: AbortSignal,
  ms: number,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort(
      new ModuleFault(
        "TIMEOUT",
        `it takes longer than ${ms / 1000} s to fetch; check that the host is up, and near enough for the size of the module`,
      ),
    );
  }, ms);
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

async function fetchModule(
  source: ModuleSource,
  known: Validator | undefined,
  signal: AbortSignal,
  { cache, resolveFor, secrets, maxModuleBytes, timing, ca }: FetchParts,
): Promise<{ held: HeldModule; validator: Validator } | "unchanged"> {
  const { organization, url, pullSecret } = source;
  const client = createClient({
    resolve: resolveFor(organization),
    signal,
    silenceMs: timing.silenceMs,
    ca,
  });
  const draft = cache.begin();
  try {
    const fetching = {
      organization,
      url,
      pullSecret,
      known,
      client,
      secrets,
      maxModuleBytes,
      draft,
    };
    const fetched = await fetchFrom(fetching);
    if (fetched.kind === "unchanged") {
      await draft.discard();
      return "unchanged";
    }
    return { held: await keep(draft, organization, cache), validator: fetched.validator };
  } catch (error) {
    await draft.discard();
    if (isFullDisk(error)) {
      await cache.makeRoom();
    }
    throw error;
  }
}

async function fetchFrom(fetching: Fetching): Promise<Fetched> {
  const [scheme = ""] = fetching.url.split("://");
  switch (scheme) {
    case "oci":
      return fetchImage(fetching);
    case "http":
    case "https":
      return fetchFile(fetching);
    default:
      throw new ModuleFault(
        "UNSUPPORTED",
        `the server fetches from oci, https and http, and this is ${scheme}; use one of them`,
      );
  }
}

async function keep(draft: Draft, organization: string, cache: ModuleCache): Promise<HeldModule> {
  await inspectModule(draft);
  return cache.keep(draft, organization);
}
