import { type ConnectError, createContextKey } from "@connectrpc/connect";

/**
 * Receives the error of a call that has one answer. The function that is set here answers with it instead of
 * Connect, whose answer is not sent then.
 */
export const unaryErrorKey = createContextKey<(error: ConnectError) => void>(() => undefined, {
  description: "wasmext unary error",
});
