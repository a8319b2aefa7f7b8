/*
 * The rules of a grants file: which callers, by a claim of a token or by a client certificate, have which
 * grants.
 */
import type { Grant } from "../catalog/access/principal.ts";
import { notifyAll, subscribeTo, type Subscriptions } from "../catalog/state/subscriptions.ts";
import { type Claims, textsOfClaim } from "./claims.ts";

/** Whom a rule is for. */
export type Match =
  /** The bearers of tokens with one of these texts in a claim. */
  | {
      readonly kind: "claim";
      readonly claim: readonly string[];
      readonly values: readonly string[];
    }
  /** The holders of certificates with one of these subjects. */
  | { readonly kind: "certificate"; readonly subjects: readonly string[] };

/** A rule of a grants file. */
export interface Rule {
  readonly match: Match;
  readonly grants: readonly Grant[];
}

/** What is known of a caller: the claims of its token, or the subject of its certificate. */
export type Identity =
  | { readonly kind: "token"; readonly claims: Claims }
  | { readonly kind: "certificate"; readonly subject: string };

/** The rules of a grants file, to look up. */
export interface GrantRules {
  /** The grants that the rules give a caller. */
  grantsOf(identity: Identity): Grant[];
}

/** The lists of grants of a key, each once. They are shared by all keys of their rule. */
type GrantLists = Map<string, Set<readonly Grant[]>>;

/** Makes an index of rules, so that a look-up costs what a caller's claims hold. */
export function indexRules(rules: readonly Rule[]): GrantRules {
  const certificates: GrantLists = new Map();
  const claims = new Map<string, { path: readonly string[]; byValue: GrantLists }>();
  for (const { match, grants } of rules) {
    switch (match.kind) {
      case "certificate":
        add(certificates, match.subjects, grants);
        break;
      case "claim": {
        const key = JSON.stringify(match.claim);
        const entry = claims.get(key) ?? { path: match.claim, byValue: new Map() as GrantLists };
        claims.set(key, entry);
        add(entry.byValue, match.values, grants);
        break;
      }
    }
  }
  const listsOf = (identity: Identity): (readonly Grant[])[] =>
    identity.kind === "certificate"
      ? [...(certificates.get(identity.subject) ?? [])]
      : [...claims.values()].flatMap(({ path, byValue }) =>
          textsOfClaim(identity.claims, path).flatMap((text) => [...(byValue.get(text) ?? [])]),
        );
  // A rule counts once, however many texts of a caller it is for.
  return { grantsOf: (identity) => [...new Set(listsOf(identity))].flat() };
}

/** The rules where there is no grants file. */
export const noRules: GrantRules = { grantsOf: () => [] };

function add(index: GrantLists, keys: readonly string[], grants: readonly Grant[]): void {
  for (const key of keys) {
    const lists = index.get(key) ?? new Set();
    index.set(key, lists.add(grants));
  }
}

/** Rules that are replaced while the server runs. */
export interface LiveRules {
  /** The rules in force. */
  readonly current: GrantRules;
  /** Puts other rules in force, and then notifies. */
  replace(rules: GrantRules): void;
  /** Calls `notify` after each replacement. Returns a function that ends the subscription. */
  subscribe(notify: () => void): () => void;
}

/** Creates rules that can be replaced. */
export function createLiveRules(initial: GrantRules = noRules): LiveRules {
  const subscriptions: Subscriptions = new Set();
  let current = initial;
  return {
    get current() {
      return current;
    },
    replace(rules) {
      current = rules;
      notifyAll(subscriptions);
    },
    subscribe: (notify) => subscribeTo(subscriptions, notify),
  };
}
