/** Reads a stream of responses message by message, each within a bound of time. */
export interface Reader<Message> {
  /** The next message; rejects with the error that ends the stream, or if none comes in time. */
  next(): Promise<Message>;
  /** Ends the stream from this side. */
  cancel(): void;
}

const patienceMs = 5_000;

/** Opens a stream; `open` gets the signal that cancels it. */
export function read<Message>(
  open: (options: { signal: AbortSignal }) => AsyncIterable<Message>,
): Reader<Message> {
  const controller = new AbortController();
  const messages = open({ signal: controller.signal })[Symbol.asyncIterator]();
  let hasBegun = false;
  return {
    async next() {
      hasBegun = true;
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        late.reject(new Error(`no message within ${patienceMs} ms`));
      }, patienceMs);
      try {
        const result = await Promise.race([messages.next(), late.promise]);
        if (result.done === true) {
          throw new Error("the stream ended without an error");
        }
        return result.value;
      } finally {
        clearTimeout(timer);
      }
    },
    cancel() {
      // A stream that nobody has read from has not been opened.
      if (!hasBegun) {
        return;
      }
      controller.abort();
      messages.return?.().catch(() => undefined);
    },
  };
}

/** Resolves when a condition holds; rejects if it does not within a bound of time. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new Error(`not within ${patienceMs} ms: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
