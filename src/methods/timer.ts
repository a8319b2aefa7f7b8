import { maxDelayMs } from "../catalog/max-delay.ts";

/**
 * Calls back when a time is over, in ms; never if it is Infinity. It does not keep the process alive.
 * Returns a function that stops it.
 */
export function timer(delayMs: number, callBack: () => void): () => void {
  if (delayMs === Infinity) {
    return () => undefined;
  }
  let handle: ReturnType<typeof setTimeout>;
  const wait = (leftMs: number): void => {
    const partMs = Math.min(Math.max(leftMs, 0), maxDelayMs);
    handle = setTimeout(() => {
      if (leftMs > partMs) {
        wait(leftMs - partMs);
      } else {
        callBack();
      }
    }, partMs).unref();
  };
  wait(delayMs);
  return () => {
    clearTimeout(handle);
  };
}
