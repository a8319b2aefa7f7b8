import { type ConnectError, createContextKey } from "@connectrpc/connect";

/**
 * Is told the error of a call that has one answer. Whoever has set this answers with it, in the place of
 * Connect, whose answer is not sent then.
 */
export const unaryErrorKey = createContextKey<(error: ConnectError) => void>(() => undefined, {
  description: "wasmext unary error",
});
