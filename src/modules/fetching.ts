/* What the ways to fetch a module have in common. */
import type { Draft } from "./cache/draft.ts";
import type { Validator } from "./cache/records.ts";
import type { Client } from "./network/client.ts";
import type { PullSecrets } from "./oci/pull-secrets.ts";

/** What is needed to fetch a module. */
export interface Fetching {
  readonly organization: string;
  readonly url: string;
  /** "" if there is none. */
  readonly pullSecret: string;
  /** What the module had last time; nothing is fetched if it is the same. */
  readonly known: Validator | undefined;
  readonly client: Client;
  readonly secrets: PullSecrets;
  readonly maxModuleBytes: number;
  /** Where the bytes go. They count when the fetch has resolved. */
  readonly draft: Draft;
}

/** What came of it: a module in the draft, or that it is the same as last time. */
export type Fetched =
  { readonly kind: "fetched"; readonly validator: Validator } | { readonly kind: "unchanged" };
