/** Where commits are stored, as `--store` says it. */
export type StoreOption =
  | { readonly kind: "memory" }
  /** The path of a file. */
  | { readonly kind: "sqlite"; readonly path: string };

/**
 * Reads the name of a store: `memory` or `sqlite:PATH`.
 *
 * Raises a TypeError if it is not one.
 */
export function parseStoreOption(text: string): StoreOption {
  const [, scheme = text, rest] = /^([a-z]+):(.*)$/s.exec(text) ?? [];
  if (scheme === "memory" && rest === undefined) {
    return { kind: "memory" };
  }
  if (scheme === "sqlite") {
    if (rest === undefined || rest === "") {
      throw new TypeError("sqlite needs the path of a file, such as sqlite:catalog.db.");
    }
    return { kind: "sqlite", path: rest };
  }
  throw new TypeError("A store is memory, or sqlite:PATH.");
}
