import type { Grant, Principal } from "../catalog/access/principal.ts";
import { mergeGrants } from "./grants.ts";
import type { GrantRules, Identity, LiveRules } from "./grant-rules.ts";

/** Who a principal is, and what it brings along. */
export interface Proven extends Pick<Principal, "name" | "expiresAt"> {
  readonly identity: Identity;
  /** The grants that its credentials state. */
  readonly ownGrants: readonly Grant[];
}

/**
 * A principal whose grants are those of its credentials, and those that the rules in force give it. It
 * notifies when its own grants change, and not when those of others do.
 */
export function createPrincipal(
  { name, expiresAt, identity, ownGrants }: Proven,
  rules: LiveRules,
): Principal {
  let known: { readonly rules: GrantRules; readonly grants: Grant[]; readonly key: string };
  const present = (): typeof known => {
    const { current } = rules;
    if ((known as typeof known | undefined)?.rules !== current) {
      const grants = mergeGrants([...ownGrants, ...current.grantsOf(identity)]);
      known = { rules: current, grants, key: JSON.stringify(grants) };
    }
    return known;
  };
  return {
    name,
    expiresAt,
    get grants() {
      return present().grants;
    },
    subscribe(notify) {
      let { key } = present();
      return rules.subscribe(() => {
        const before = key;
        ({ key } = present());
        if (key !== before) {
          notify();
        }
      });
    },
  };
}
