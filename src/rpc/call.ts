import { type Code, createContextKey } from "@connectrpc/connect";

/** A field that cannot be read. */
export interface UnreadableField {
  readonly path: string;
  /** What to write there, where that is known. */
  readonly remedy: string | undefined;
}

/** What is known of one call while it runs: for its errors, and for the log. */
export interface Call {
  /** Whether the request has been read and handed to its service. */
  reachedService: boolean;
  /** The code of the error that the call ended with; undefined while it runs, and for success. */
  code: Code | undefined;
  /** Why the call failed, where the error that the client gets does not say. */
  failure: unknown;
  /**
   * Finds the field of a JSON request because of which it cannot be read; undefined where that cannot
   * be told.
   */
  findUnreadableField: () => UnreadableField | undefined;
}

/** Finds the call in the context values of its request. */
export const callKey = createContextKey<Call | undefined>(undefined, {
  description: "wasmext call",
});

/** A call that has just arrived. */
export function newCall(): Call {
  return {
    reachedService: false,
    code: undefined,
    failure: undefined,
    findUnreadableField: () => undefined,
  };
}
