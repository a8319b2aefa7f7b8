import { createContextKey } from "@connectrpc/connect";
import type { Principal } from "../catalog/access/principal.ts";

/** Finds the caller in the context values of a request; undefined if it was not set. */
export const principalKey = createContextKey<Principal | undefined>(undefined, {
  description: "wasmext principal",
});
