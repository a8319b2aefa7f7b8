import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { callKey } from "./call.ts";
import { inOurForm } from "./unreadable.ts";

/**
 * Watches a call from before its request is read until it ends: gives what Connect raises of itself
 * our form, and notes the code that the call ends with.
 *
 * This is a request gate, the one hook that Connect offers before it reads a request. It leans on the
 * handlers of all protocols aborting the context with the error first and writing that same error
 * object second; the tests of bad input hold Connect to it over each protocol.
 */
export function observeCall({ signal, values }: HandlerContext): void {
  const call = values.get(callKey);
  signal.addEventListener("abort", () => {
    const reason: unknown = signal.reason;
    if (!(reason instanceof ConnectError) || call === undefined) {
      return;
    }
    const isUnread = !call.reachedService && reason.code === Code.InvalidArgument;
    const field = isUnread ? call.findUnreadableField() : undefined;
    const { code, message, rawMessage, details } = inOurForm(reason, call.reachedService, field);
    Object.assign(reason, { code, message, rawMessage, details });
    call.code = code;
  });
}
