/* Why a module is not to be had. */
import { excerpt } from "../catalog/names/excerpt.ts";

/** All reasons; docs/modules.md has the remedy of each. */
export const moduleReasons = [
  "UNREACHABLE",
  "TIMEOUT",
  "NOT_FOUND",
  "UNAUTHORIZED",
  "ADDRESS_REFUSED",
  "BAD_REDIRECT",
  "BAD_ANSWER",
  "BAD_MANIFEST",
  "DIGEST_MISMATCH",
  "TOO_LARGE",
  "NOT_WASM",
  "NO_PROXY_WASM",
  "SECRET",
  "CACHE",
  "UNSUPPORTED",
] as const;

export type ModuleReason = (typeof moduleReasons)[number];

/** Why a module is not to be had, for people and for programs. */
export interface ModuleProblem {
  readonly reason: ModuleReason;
  /** One sentence: the url without user and query, what is wrong, and the remedy. */
  readonly message: string;
}

/** Is raised while a module is fetched or checked. The message says what is wrong, and the remedy. */
export class ModuleFault extends Error {
  override name = "ModuleFault";
  readonly reason: ModuleReason;

  constructor(reason: ModuleReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The problem that a fault is for the followers of a url. */
export function problemOf(url: string, { reason, message }: ModuleFault): ModuleProblem {
  return { reason, message: `${shownUrl(url)}: ${message}` };
}

/** The longest url in a message, in characters. */
const maxShownUrl = 200;

/** A module's url as messages show it: without user, password, query and fragment, which may be secrets. */
export function shownUrl(url: string): string {
  const parsed = /^https?:/i.test(url) && URL.canParse(url) ? new URL(url) : undefined;
  const shown = parsed === undefined ? url : `${parsed.origin}${parsed.pathname}`;
  return shown.length > maxShownUrl || /[^\x21-\x7e]/.test(shown) ? excerpt(shown) : shown;
}
