import { createContextKey } from "@connectrpc/connect";
import type { Origin } from "../methods/audit.ts";

/** Finds where a call comes from in the context values of its request. */
export const originKey = createContextKey<Origin | undefined>(undefined, {
  description: "wasmext origin",
});
