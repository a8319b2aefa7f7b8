/* Where a reference leads. */
import { parseOciReference } from "../../catalog/names/oci-reference.ts";
import { isLoopbackAddress } from "../network/policy.ts";
import { ModuleFault } from "../problem.ts";

/** An image in a registry. */
export interface ImagePlace {
  /** The origin of the registry's API. */
  readonly registry: URL;
  /** The registry's name, by which credentials are found: host, and port if it has one. */
  readonly host: string;
  readonly repository: string;
  /** A tag or a digest. */
  readonly reference: string;
  /** The digest that the manifest has to have, if the reference says so. */
  readonly digest: string | undefined;
}

const dockerHub = "docker.io";

/** Finds where the reference of an `oci://` url leads; a reference without a host leads to Docker Hub. */
export function placeOfImage(url: string): ImagePlace {
  const parsed = parseOciReference(url.replace(/^oci:\/\//, ""));
  if (parsed === undefined) {
    throw new ModuleFault(
      "UNSUPPORTED",
      "it is not an image reference; write oci://host/repository:tag",
    );
  }
  const { host = dockerHub, tag = "latest", digest } = parsed;
  const isHub = host === dockerHub || host === "index.docker.io";
  const isOfficial = isHub && !parsed.repository.includes("/");
  return {
    registry: originOf(isHub ? "registry-1.docker.io" : host),
    host: isHub ? dockerHub : host,
    repository: isOfficial ? `library/${parsed.repository}` : parsed.repository,
    reference: digest ?? tag,
    digest,
  };
}

/** TLS is spoken to all registries but those on this machine, as Docker does. */
function originOf(host: string): URL {
  if (!URL.canParse(`https://${host}`)) {
    throw new ModuleFault("UNSUPPORTED", "it names no valid host; write oci://host/repository:tag");
  }
  const { hostname } = new URL(`https://${host}`);
  const isLocal = hostname === "localhost" || isLoopbackAddress(hostname.replace(/^\[|\]$/g, ""));
  return new URL(`${isLocal ? "http" : "https"}://${host}`);
}
