import type { HandlerContext } from "@connectrpc/connect";
import type { WriteOptions } from "../journal/journal.ts";

/** Who writes where callers are not told apart. */
const anonymous = "anonymous";

/** What is said of the write of a call: who makes it, why, and when nobody waits for it any more. */
export function writeOptions({ signal, method }: HandlerContext): WriteOptions {
  return { signal, author: anonymous, reason: method.name };
}
