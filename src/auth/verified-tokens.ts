import type { Principal } from "../catalog/access/principal.ts";

/** How many verified tokens are remembered, and how many characters they may have in all. */
export interface RememberedLimits {
  readonly tokens: number;
  readonly characters: number;
}

export const defaultRememberedLimits: RememberedLimits = {
  tokens: 10_000,
  characters: 16 * 1024 * 1024,
};

/** A cache of the principals of verified tokens, by the hash of the token. */
export interface VerifiedTokens {
  get(hash: string): Principal | undefined;
  /** Remembers a token; those that were used longest ago are forgotten in its place. */
  add(hash: string, principal: Principal, characters: number): void;
  forget(hash: string): void;
  clear(): void;
}

/** Creates an empty cache. */
export function createVerifiedTokens(limits: RememberedLimits): VerifiedTokens {
  // A map is walked in the order of insertion: what was used longest ago comes first.
  const entries = new Map<string, { principal: Principal; characters: number }>();
  let characters = 0;
  const forget = (hash: string): void => {
    characters -= entries.get(hash)?.characters ?? 0;
    entries.delete(hash);
  };
  return {
    get(hash) {
      const entry = entries.get(hash);
      if (entry !== undefined) {
        entries.delete(hash);
        entries.set(hash, entry);
      }
      return entry?.principal;
    },
    add(hash, principal, length) {
      forget(hash);
      entries.set(hash, { principal, characters: length });
      characters += length;
      for (const oldest of entries.keys()) {
        if (entries.size <= limits.tokens && characters <= limits.characters) {
          break;
        }
        forget(oldest);
      }
    },
    forget,
    clear() {
      entries.clear();
      characters = 0;
    },
  };
}
