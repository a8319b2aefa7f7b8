/** Prints one figure on a line. */
export function print(name: string, value: number | string): void {
  process.stdout.write(`${name.padEnd(52)} ${value}\n`);
}

/** The middle of several values. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** Runs work a number of times, after as many unmeasured runs; returns the ms of each run. */
export function time(work: () => unknown, runs: number): number[] {
  const once = (): number => {
    const startedAt = performance.now();
    work();
    return performance.now() - startedAt;
  };
  Array.from({ length: runs }, once);
  return Array.from({ length: runs }, once);
}

/** MiB of live heap; exact when run with --expose-gc. */
export function megabytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

/** Bytes of live memory, buffers included; exact when run with --expose-gc. */
export function heldBytes(): number {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
