import type { Grant, Principal } from "../catalog/access/principal.ts";
import { mergeGrants } from "./grants.ts";
import type { GrantRules, Identity, LiveRules } from "./grant-rules.ts";

/** What the credentials of a caller prove. */
export interface Proven extends Pick<Principal, "name" | "expiresAt"> {
  readonly identity: Identity;
  /** The grants that its credentials state. */
  readonly ownGrants: readonly Grant[];
}

/**
 * A principal with the grants of its credentials and those of the rules in force. It notifies only when its
 * own grants change.
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
