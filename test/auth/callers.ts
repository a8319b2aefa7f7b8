/* The kinds of callers, and tokens for them. */
import {
  anyone,
  type Grant,
  permissions,
  type Principal,
} from "../../src/catalog/access/principal.ts";
import { acme, blue, ext, red } from "../support/acme.ts";
import { makeKey, sign } from "../support/issuer.ts";
import type { Secured } from "../support/secured.ts";

const on = (resource: string, ...permitted: Grant["permissions"]): Grant => ({
  resource,
  permissions: permitted.length === 0 ? permissions : permitted,
});

/** The grants of each kind of caller; `none` does not say who calls. */
export const grantsOf = {
  none: [],
  "other organization": [on("organizations/other")],
  "other tenant": [on(blue)],
  reader: [on(red, "READ")],
  editor: [on(red, "READ", "WRITE")],
  writer: [on(red)],
  "organization's reader": [on(acme, "READ")],
  "organization's creator": [on(acme, "CREATE")],
  "organization's owner": [on(acme)],
  "extension's holder": [on(ext("held"))],
  "workspace's holder": [on(`${red}/workspaces/w`)],
} as const satisfies Record<string, readonly Grant[]>;

/** A kind of caller. */
export type Caller = keyof typeof grantsOf;

/** All kinds, in the order of the table. */
export const callers = Object.keys(grantsOf) as Caller[];

/** Who a kind of caller is. */
export function principalOf(caller: Caller): Principal {
  return { ...anyone, name: caller, grants: grantsOf[caller] };
}

/** The token of a kind of caller; undefined for none. */
export async function tokenOf(caller: Caller, secured: Secured): Promise<string | undefined> {
  return caller === "none" ? undefined : secured.token(caller);
}

/** Tokens that prove nothing, of a caller who may do everything in the organization. */
export async function badTokens(secured: Secured): Promise<Readonly<Record<string, string>>> {
  const owner = "organization's owner";
  return {
    "no token at all": "bad",
    "an expired token": await secured.token(owner, { exp: Math.floor(Date.now() / 1000) - 3600 }),
    "a token for another audience": await secured.token(owner, { aud: "other" }),
    "a token of another issuer": await secured.token(owner, { iss: "https://other.example.com" }),
    "a token of a stranger's key": await sign(await makeKey("one"), { sub: owner }),
  };
}
