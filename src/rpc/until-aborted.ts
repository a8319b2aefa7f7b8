import { ConnectError } from "@connectrpc/connect";

/** Resolves with the reason when a signal is aborted; at once if it is already. */
export async function untilAborted(signal: AbortSignal): Promise<ConnectError> {
  if (!signal.aborted) {
    await new Promise((resolve) => {
      signal.addEventListener("abort", resolve, { once: true });
    });
  }
  return ConnectError.from(signal.reason);
}
