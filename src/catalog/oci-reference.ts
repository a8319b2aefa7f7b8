/** What an OCI image reference says. */
export interface OciReference {
  /** Registry host with optional port; undefined where the reference leaves it to the runtime. */
  readonly host: string | undefined;
  /** Repository path inside the registry. */
  readonly repository: string;
  readonly tag: string | undefined;
  /** Digest with its algorithm, `sha256:…`. */
  readonly digest: string | undefined;
}

// The grammar is the one of the OCI distribution specification and of its reference
// implementation: https://github.com/distribution/reference
const hostPattern =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][-a-zA-Z0-9]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][-a-zA-Z0-9]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const componentPattern = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const registeredDigests = new Map([
  ["sha256", /^[a-f0-9]{64}$/],
  ["sha512", /^[a-f0-9]{128}$/],
]);

/** Longest reference that is looked at, in characters; registries allow 255 for the name alone. */
const maxReferenceLength = 1024;
const maxNameLength = 255;

/** Parses `[host/]repository[:tag][@digest]`; undefined if `text` is no such reference. */
export function parseOciReference(text: string): OciReference | undefined {
  if (text.length > maxReferenceLength) {
    return undefined;
  }
  const [name = "", digest, ...tooMany] = text.split("@");
  if (tooMany.length > 0 || (digest !== undefined && !isDigest(digest))) {
    return undefined;
  }
  // A colon after the last slash starts a tag; one before it belongs to the host's port.
  const colon = name.indexOf(":", name.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : name.slice(colon + 1);
  const path = colon < 0 ? name : name.slice(0, colon);
  if (path.length > maxNameLength || (tag !== undefined && !tagPattern.test(tag))) {
    return undefined;
  }
  const components = path.split("/");
  const host = isHost(components) ? components.shift() : undefined;
  if (!components.every((component) => componentPattern.test(component))) {
    return undefined;
  }
  return { host, repository: components.join("/"), tag, digest };
}

/** The first of several components is a host when it could not be one of a repository path. */
function isHost([first = "", ...rest]: readonly string[]): boolean {
  if (rest.length === 0 || !hostPattern.test(first)) {
    return false;
  }
  return /[.:[]/.test(first) || first === "localhost" || first !== first.toLowerCase();
}

function isDigest(text: string): boolean {
  const [algorithm = "", hex = ""] = text.split(":");
  return digestPattern.test(text) && (registeredDigests.get(algorithm)?.test(hex) ?? true);
}
