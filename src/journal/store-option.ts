/** Where commits are stored, as `--store` says it. */
export type StoreOption =
  | { readonly kind: "memory" }
  /** The path of a file. */
  | { readonly kind: "sqlite"; readonly path: string }
  /** Origins, such as http://127.0.0.1:2379. */
  | { readonly kind: "etcd"; readonly endpoints: readonly string[] };

/**
 * Reads the name of a store: `memory`, `sqlite:PATH` or `etcd:URL[,URL...]`.
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
  if (scheme === "etcd") {
    return { kind: "etcd", endpoints: (rest ?? "").split(",").map(endpointOf) };
  }
  throw new TypeError("A store is memory, sqlite:PATH, or etcd:URL[,URL...].");
}

function endpointOf(text: string): string {
  const url = URL.parse(text.trim());
  if (url === null || !/^https?:$/.test(url.protocol) || !/^\/?$/.test(url.pathname + url.search)) {
    throw new TypeError(
      "etcd needs the URLs of its nodes, such as etcd:http://127.0.0.1:2379; several are separated by commas.",
    );
  }
  // A list of processes would show it.
  if (url.username !== "" || url.password !== "") {
    throw new TypeError(
      "A URL of etcd must not hold a user or a password: use --store-user and --store-password-file.",
    );
  }
  return url.origin;
}
