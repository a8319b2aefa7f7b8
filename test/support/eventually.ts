const patienceMs = 30_000;

/** Resolves with the first value that work brings; rejects if there is none within a bound of time. */
export async function eventually<Value>(
  what: string,
  work: () => Promise<Value | undefined> | Value | undefined,
): Promise<Value> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const value = await work();
    if (value !== undefined) {
      return value;
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${patienceMs} ms: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
