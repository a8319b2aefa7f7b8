/*
 * Where the keys of tokens come from: a file, read again when it changes, or a url, fetched again from time
 * to time and when a token names a key that is not known. If a later version cannot be read or used, the
 * keys stay as they are.
 *
 * 1. Calls with unknown keys share at most one fetch in each cooldown, however many there are.
 * 2. The key set is the same object as long as its text is the same, so what it has verified stays verified.
 */
import { messageOf } from "../catalog/message-of.ts";
import { type FileWatchOptions, stampOf, watchFiles } from "./file-watch.ts";
import { type KeySet, maxKeySetBytes, parseKeySet } from "./key-set.ts";
import { readFileBounded } from "./read-file.ts";

/** Keys that may be replaced while the server runs. */
export interface KeySource {
  /** The keys now; another object after they have changed. */
  readonly keys: KeySet;
  /** Looks for newer keys, if that may help. Never rejects. */
  refresh(): Promise<void>;
  /** Stops looking for newer keys. */
  close(): void;
}

/** The log of what happens while the server runs. */
export interface Notices {
  info(text: string): void;
  warn(text: string): void;
}

/** When a source looks for newer keys. */
export interface KeySourceOptions extends FileWatchOptions {
  /** The time from one fetch to the next that a token asks for, in ms. Default: 10 s. */
  readonly cooldownMs?: number;
  /** The time from one fetch to the next that nobody asks for, in ms. Default: 5 min. */
  readonly refetchMs?: number;
  /** How long a fetch may take, in ms. Default: 5 s. */
  readonly timeoutMs?: number;
  /** Milliseconds since any fixed time. */
  readonly now?: () => number;
}

/** How long the fetch of a key set may take, in ms. */
export const fetchTimeoutMs = 5_000;

/** Tells whether a text names keys by url. */
export function isUrl(place: string): boolean {
  return /^https?:\/\//i.test(place);
}

/**
 * Opens the keys in a file or at a url.
 *
 * Rejects with an Error, whose message says why, if there are none to begin with.
 */
export async function openKeySource(
  place: string,
  notices: Notices,
  options: KeySourceOptions = {},
): Promise<KeySource> {
  return isUrl(place) ? openUrl(place, notices, options) : openFile(place, notices, options);
}

async function openFile(
  file: string,
  notices: Notices,
  options: KeySourceOptions,
): Promise<KeySource> {
  const stamp = await stampOf([file]);
  const holder = await openHolder(() => readText(file), notices, file);
  const close = watchFiles([file], stamp, () => holder.reload(), options);
  return {
    get keys() {
      return holder.keys;
    },
    refresh: () => Promise.resolve(),
    close,
  };
}

async function openUrl(
  url: string,
  notices: Notices,
  {
    cooldownMs = 10_000,
    refetchMs = 5 * 60_000,
    timeoutMs = fetchTimeoutMs,
    now = () => performance.now(),
  }: KeySourceOptions,
): Promise<KeySource> {
  let fetchedAt = now();
  const holder = await openHolder(() => fetchText(url, timeoutMs), notices, url);
  let underWay: Promise<void> | undefined;
  const fetchOnce = (): Promise<void> => {
    if (underWay === undefined) {
      fetchedAt = now();
      underWay = holder.reload().finally(() => (underWay = undefined));
    }
    return underWay;
  };
  const timer = setInterval(() => void fetchOnce(), refetchMs).unref();
  return {
    get keys() {
      return holder.keys;
    },
    refresh: () => underWay ?? (now() - fetchedAt < cooldownMs ? Promise.resolve() : fetchOnce()),
    close: () => {
      clearInterval(timer);
    },
  };
}

async function openHolder(read: () => Promise<string>, notices: Notices, place: string) {
  const load = async (text: string): Promise<KeySet> => {
    const keys = await parseKeySet(text);
    keys.unused.forEach((problem) => {
      notices.info(`${place}: ${problem}, and is not used`);
    });
    return keys;
  };
  let text: string;
  let keys: KeySet;
  try {
    text = await read();
    keys = await load(text);
  } catch (error) {
    throw new Error(`the keys at ${place} cannot be used: ${messageOf(error)}`, { cause: error });
  }
  return {
    get keys() {
      return keys;
    },
    /** Reads again, and keeps what there is if that fails. Never rejects. */
    async reload(): Promise<void> {
      try {
        const newer = await read();
        if (newer !== text) {
          keys = await load(newer);
          text = newer;
          notices.info(`${place}: the keys have changed, and are in use`);
        }
      } catch (error) {
        notices.warn(`${place}: ${messageOf(error)}; the keys from before stay in use`);
      }
    },
  };
}

async function readText(file: string): Promise<string> {
  return (await readFileBounded(file, { maxBytes: maxKeySetBytes })).toString();
}

async function fetchText(url: string, timeoutMs: number): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs);
  const headers = { accept: "application/json, application/jwk-set+json" };
  // A redirect could leave https, or the host that was meant.
  const response = await fetch(url, { signal, headers, redirect: "manual" });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`it answers with HTTP status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxKeySetBytes) {
      throw tooLarge();
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function tooLarge(): Error {
  return new Error(`it has more than ${maxKeySetBytes / 1024} KiB`);
}
