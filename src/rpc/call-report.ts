import { type Code, createContextKey } from "@connectrpc/connect";

/**
 * Is told how a call ends, if it does not end well.
 *
 * @param code - what the client gets
 * @param failure - why, where the error that the client gets does not say
 */
export type CallReport = (code: Code, failure?: unknown) => void;

/** Finds the report of a call in the context values of its request. */
export const callReportKey = createContextKey<CallReport>(() => undefined, {
  description: "wasmext call report",
});
