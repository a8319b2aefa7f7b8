import { createContextKey } from "@connectrpc/connect";
import type { Principal } from "../catalog/access/principal.ts";

/** Finds who calls in the context values of a request; undefined where nobody has said so. */
export const principalKey = createContextKey<Principal | undefined>(undefined, {
  description: "wasmext principal",
});
