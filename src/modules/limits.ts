/* The limits of fetching modules, and their defaults. */

/** When a source is looked at again, in ms. */
export interface Timing {
  /** From one look at a moving tag to the next. */
  readonly checkMs: number;
  /** From the first failure to the next try; each further one takes twice as long. */
  readonly firstRetryMs: number;
  readonly lastRetryMs: number;
  /** How long a module from the cache waits for the first look at its tag. */
  readonly graceMs: number;
  /** How long a source is kept that nobody follows. */
  readonly lingerMs: number;
  /** How long a fetch may take. */
  readonly totalMs: number;
  /** How long nothing may arrive. */
  readonly silenceMs: number;
}

export const defaultTiming: Timing = {
  checkMs: 60_000,
  firstRetryMs: 1_000,
  lastRetryMs: 5 * 60_000,
  graceMs: 5_000,
  lingerMs: 10_000,
  totalMs: 30_000,
  silenceMs: 10_000,
};

/** How many modules are fetched at once, of all organizations and of one. */
export const maxFetches = 8;
export const maxFetchesOfOne = 4;

/** The greatest module by default, in bytes. */
export const defaultMaxModuleBytes = 64 * 1024 * 1024;

/** How much the cache takes by default, in bytes. */
export const defaultCacheBytes = 1024 * 1024 * 1024;
