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

/** How many hex digits the digests of the registered algorithms have. */
export const registeredDigests: ReadonlyMap<string, number> = new Map([
  ["sha256", 64],
  ["sha512", 128],
]);

/** Longest reference that is parsed, in characters; registries allow 255 for the name alone. */
export const maxReferenceLength = 1024;
/** Longest host and repository together, in characters. */
export const maxNameLength = 255;

/** The parts of a text, valid or not, by where a reference has them. */
export interface OciParts {
  /** Host and repository. */
  readonly name: string;
  readonly tag: string | undefined;
  /** What follows each @; a reference has one digest at most. */
  readonly digests: readonly string[];
}

/** Splits `[host/]repository[:tag][@digest]`. */
export function splitOciReference(text: string): OciParts {
  const [tagged = "", ...digests] = text.split("@");
  // A colon after the last slash starts a tag; one before it belongs to the host's port.
  const colon = tagged.indexOf(":", tagged.lastIndexOf("/") + 1);
  return {
    name: colon < 0 ? tagged : tagged.slice(0, colon),
    tag: colon < 0 ? undefined : tagged.slice(colon + 1),
    digests,
  };
}

/** Parses `[host/]repository[:tag][@digest]`; undefined if `text` is not a reference. */
export function parseOciReference(text: string): OciReference | undefined {
  if (text.length > maxReferenceLength) {
    return undefined;
  }
  const { name, tag, digests } = splitOciReference(text);
  const [digest] = digests;
  if (digests.length > 1 || (digest !== undefined && !isDigest(digest))) {
    return undefined;
  }
  if (name.length > maxNameLength || (tag !== undefined && !tagPattern.test(tag))) {
    return undefined;
  }
  const components = name.split("/");
  const host = isHost(components) ? components.shift() : undefined;
  if (!components.every((component) => componentPattern.test(component))) {
    return undefined;
  }
  return { host, repository: components.join("/"), tag, digest };
}

/** The first of several components is a host if it looks like one: ghcr.io, registry:5000, localhost. */
function isHost([first = "", ...rest]: readonly string[]): boolean {
  if (rest.length === 0 || !hostPattern.test(first)) {
    return false;
  }
  return /[.:[]/.test(first) || first === "localhost" || first !== first.toLowerCase();
}

function isDigest(text: string): boolean {
  const [algorithm = "", hex = ""] = text.split(":");
  const digits = registeredDigests.get(algorithm);
  return (
    digestPattern.test(text) &&
    (digits === undefined || (hex.length === digits && hex === hex.toLowerCase()))
  );
}
