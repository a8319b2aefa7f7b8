/*
 * A source that is followed: its module is taken from the cache or fetched, looked at again, and tried again
 * after a failure.
 *
 * 1. What was good stays until what replaces it is known to be good: a failed check adds a problem to it.
 * 2. With the policy Always, a module from the cache waits for the first check, but not for long.
 * 3. Followers are called when the state differs, and never while they begin to follow.
 */
import { WasmExtension_PullPolicy as PullPolicy } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { messageOf } from "../catalog/message-of.ts";
import type { ModuleCache } from "./cache/cache.ts";
import type { HeldModule } from "./cache/holdings.ts";
import { type SourceRecord, sourceKey, type Validator } from "./cache/records.ts";
import type { Timing } from "./limits.ts";
import { ModuleFault, problemOf } from "./problem.ts";
import type { ModuleSource, ModuleState } from "./modules.ts";
import { createWaiting } from "./waiting.ts";

/** What a source needs. */
export interface SourceParts {
  readonly cache: ModuleCache;
  readonly timing: Timing;
  /** Fetches into the cache. Rejects with a ModuleFault. */
  readonly fetch: Fetch;
  readonly warn: (text: string) => void;
}

/** Fetches a source, unless it is as it was known; the module is held. */
export type Fetch = (
  source: ModuleSource,
  known: Validator | undefined,
  signal: AbortSignal,
) => Promise<NewModule | "unchanged">;

/** A module that was fetched. */
export interface NewModule {
  readonly held: HeldModule;
  readonly validator: Validator;
}

/** A source that is followed. */
export interface FollowedSource {
  readonly state: ModuleState;
  /** Tries again now, if it has failed. */
  retry(): void;
  /** Fetches again what turned out to be damaged; resolves when that is done, or has failed. */
  fetchAgain(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Begins to follow a source.
 *
 * @param changed - is called after the state has changed
 */
export function followSource(
  source: ModuleSource,
  { cache, timing, fetch, warn }: SourceParts,
  changed: () => void,
): FollowedSource {
  const key = sourceKey(source);
  const unprotect = cache.protect(key);
  const stopping = new AbortController();
  const isStopped = (): boolean => stopping.signal.aborted;
  const waiting = createWaiting();
  const isAlways = source.pullPolicy === PullPolicy.Always;
  let state: ModuleState = { kind: "fetching" };
  let good: { held: HeldModule; validator: Validator; checkedAt: number } | undefined;
  let failures = 0;
  /** By a clock that nobody sets. */
  let triedAt = -Infinity;
  /** Those that wait for the next fetch to end. */
  const awaiting: (() => void)[] = [];

  const publish = (next: ModuleState): void => {
    if (stopping.signal.aborted || isSame(state, next)) {
      return;
    }
    state = next;
    changed();
  };
  const publishGood = (): void => {
    if (good !== undefined) {
      const { digest, size } = good.held;
      publish({ kind: "ready", module: { digest, size } });
    }
  };
  const replace = (next: typeof good): void => {
    const before = good?.held;
    good = next;
    if (before !== next?.held) {
      before?.release();
    }
  };
  // Read by a function: what was good may be damaged by the time a fetch ends.
  const current = (): typeof good => good;

  /** Takes the module from the cache, if it is there and whole. */
  const takeFromCache = async (): Promise<void> => {
    const record = await cache.recall(key);
    const held = record && (await cache.hold(record.digest, source.organization));
    if (record !== undefined && held !== undefined) {
      replace({
        held,
        validator: record.validator,
        checkedAt: Math.min(record.checkedAt, Date.now()),
      });
    }
  };
  const remember = async (record: SourceRecord): Promise<void> => {
    try {
      await cache.remember(key, record);
    } catch (error) {
      // It costs a fetch after the next start.
      warn(`what a module was fetched as cannot be stored: ${messageOf(error)}`);
    }
  };
  const fetchOnce = async (): Promise<void> => {
    triedAt = performance.now();
    const fetched = await fetch(source, good?.validator, stopping.signal);
    const checkedAt = Date.now();
    const now = fetched === "unchanged" ? current() : fetched;
    if (now === undefined) {
      throw new ModuleFault("CACHE", "the server's copy is damaged, and is fetched again");
    }
    replace({ ...now, checkedAt });
    await remember({ digest: now.held.digest, validator: now.validator, checkedAt });
  };

  /** How long to wait after a success, in ms; undefined if nothing is to be done. */
  const untilCheck = (): number | undefined =>
    isAlways ? timing.checkMs * (0.9 + 0.2 * Math.random()) : undefined;
  const untilRetry = (): number => {
    const most = Math.min(
      timing.firstRetryMs * 2 ** Math.min(failures - 1, 30),
      timing.lastRetryMs,
    );
    return most * (0.75 + 0.5 * Math.random());
  };

  const untilAllowed = (): number => Math.ceil(triedAt + timing.firstRetryMs - performance.now());

  const tryOnce = async (): Promise<number | undefined> => {
    // With Always, a slow registry does not keep back what is known to be good.
    const grace = setTimeout(() => {
      if (state.kind === "fetching") {
        publishGood();
      }
    }, timing.graceMs).unref();
    try {
      await fetchOnce();
      failures = 0;
      publishGood();
      return untilCheck();
    } catch (error) {
      if (stopping.signal.aborted) {
        return undefined;
      }
      failures += 1;
      const problem = problemOf(source.url, faultOf(error));
      if (state.kind === "fetching" || state.problem?.message !== problem.message) {
        warn(`a module cannot be fetched (${problem.reason}): ${problem.message}`);
      }
      const module = good && { digest: good.held.digest, size: good.held.size };
      publish(
        module === undefined ? { kind: "failed", problem } : { kind: "ready", module, problem },
      );
      return untilRetry();
    } finally {
      clearTimeout(grace);
      awaiting.splice(0).forEach((resolve) => {
        resolve();
      });
    }
  };
  /** How long the module from the cache is good for, in ms; undefined for ever. */
  const freshFor = (): number | undefined => {
    if (good === undefined) {
      return 0;
    }
    return isAlways ? good.checkedAt + timing.checkMs - Date.now() : undefined;
  };

  const run = async (): Promise<void> => {
    await takeFromCache().catch(() => undefined);
    const ms = freshFor();
    if (ms === undefined || ms > 0) {
      publishGood();
      await waiting.wait(ms);
    }
    while (!isStopped()) {
      await waiting.wait(await tryOnce());
      // It may be woken as often as proxies come and go.
      while (!isStopped() && untilAllowed() > 0) {
        await waiting.wait(untilAllowed());
      }
    }
  };
  const running = run();

  return {
    get state() {
      return state;
    },
    retry() {
      if (state.kind === "failed") {
        failures = 0;
        waiting.wake();
      }
    },
    fetchAgain() {
      replace(undefined);
      return new Promise((resolve) => {
        awaiting.push(resolve);
        waiting.wake();
      });
    },
    async stop() {
      stopping.abort(new ModuleFault("TIMEOUT", "it is no longer followed"));
      waiting.wake();
      await running;
      awaiting.splice(0).forEach((resolve) => {
        resolve();
      });
      replace(undefined);
      unprotect();
    },
  };
}

function isSame(one: ModuleState, other: ModuleState): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** What failed; an unexpected error does not end the server. */
function faultOf(error: unknown): ModuleFault {
  return error instanceof ModuleFault
    ? error
    : new ModuleFault("BAD_ANSWER", `it cannot be fetched (${messageOf(error)}); try again`, {
        cause: error,
      });
}
