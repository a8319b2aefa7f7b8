/** Within what time a proxy begins to fetch a module that it lacks, and has fetched it, in ms. */
const startMs = 1_000;
const fetchMs = 40_000;

/** The modules that a proxy fetches over HTTP. */
export class ModuleFetches {
  /** The modules that the proxy has fetched, and may still have, with the number of the answer before. */
  readonly #fetched = new Map<string, number>();
  /** The ends of waiting, by digest. */
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #settle: (digest: string, isLoaded: boolean) => void;

  /** @param settle - is told that the proxy has fetched a module, or does not */
  constructor(settle: (digest: string, isLoaded: boolean) => void) {
    this.#settle = settle;
  }

  /** Whether the proxy has fetched a module. */
  has(digest: string): boolean {
    return this.#fetched.has(digest);
  }

  /** Whether the proxy had fetched a module before an answer was sent. */
  hadBefore(digest: string, answer: number): boolean {
    return (this.#fetched.get(digest) ?? Infinity) < answer;
  }

  /** Whether the proxy should fetch a module now. */
  isAwaited(digest: string): boolean {
    return this.#timers.has(digest);
  }

  /** The proxy lacks a module, and should begin to fetch it. */
  await(digest: string): void {
    this.#wait(digest, startMs);
  }

  /** The proxy has begun to fetch a module. */
  begin(digest: string): void {
    if (this.#timers.has(digest)) {
      this.#wait(digest, fetchMs);
    }
  }

  /**
   * The proxy has fetched a module.
   *
   * @param answer - the number of the latest answer
   */
  finish(digest: string, answer: number): void {
    this.#fetched.set(digest, answer);
    this.#stop(digest);
    this.#settle(digest, true);
  }

  /** Waits for nothing more. */
  end(): void {
    for (const digest of this.#timers.keys()) {
      this.#stop(digest);
    }
  }

  #wait(digest: string, timeoutMs: number): void {
    clearTimeout(this.#timers.get(digest));
    const giveUp = (): void => {
      this.#stop(digest);
      this.#settle(digest, false);
    };
    this.#timers.set(digest, setTimeout(giveUp, timeoutMs));
  }

  #stop(digest: string): void {
    clearTimeout(this.#timers.get(digest));
    this.#timers.delete(digest);
  }
}
