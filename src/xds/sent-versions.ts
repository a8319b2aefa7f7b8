import type { Filter } from "./filter.ts";

/** How much is remembered. */
export interface SentLimits {
  readonly versions: number;
  /** In all versions together. */
  readonly filters: number;
  /** Of the filters, where one that is in many versions counts once. */
  readonly bytes: number;
}

/** The filters of versions that proxies run, or have run. */
export interface SentVersions {
  get(version: string): readonly Filter[] | undefined;
  /** Remembers a version. Over a limit, those that were set longest ago are forgotten. */
  set(version: string, filters: readonly Filter[]): void;
}

/** Creates an empty record. */
export function createSentVersions(limits: SentLimits): SentVersions {
  const versions = new Map<string, readonly Filter[]>();
  /** In how many versions a filter is. */
  const uses = new Map<Filter, number>();
  let count = 0;
  let bytes = 0;
  const use = (filter: Filter, change: 1 | -1): void => {
    const before = uses.get(filter) ?? 0;
    const after = before + change;
    if (after === 0) {
      uses.delete(filter);
    } else {
      uses.set(filter, after);
    }
    bytes += before === 0 ? filter.size : after === 0 ? -filter.size : 0;
  };
  const forget = (version: string): void => {
    const filters = versions.get(version) ?? [];
    versions.delete(version);
    count -= filters.length;
    for (const filter of filters) {
      use(filter, -1);
    }
  };
  const isTooMuch = (): boolean =>
    versions.size > limits.versions || count > limits.filters || bytes > limits.bytes;
  return {
    get: (version) => versions.get(version),
    set(version, filters) {
      if (versions.get(version) === filters) {
        versions.delete(version);
        versions.set(version, filters);
        return;
      }
      forget(version);
      versions.set(version, filters);
      count += filters.length;
      for (const filter of filters) {
        use(filter, 1);
      }
      for (const oldest of versions.keys()) {
        if (!isTooMuch()) {
          break;
        }
        forget(oldest);
      }
    },
  };
}
