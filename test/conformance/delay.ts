import { setTimeout } from "node:timers/promises";

/** Waits; raises the reason of a signal once it is aborted. */
export async function delay(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}
