import { type Code, createContextKey } from "@connectrpc/connect";

/**
 * Reports how a call has failed.
 *
 * @param code - what the client gets
 * @param failure - the cause, if the error that the client gets does not tell it
 */
export type CallReport = (code: Code, failure?: unknown) => void;

/** Finds the report of a call in the context values of its request. */
export const callReportKey = createContextKey<CallReport>(() => undefined, {
  description: "wasmext call report",
});
