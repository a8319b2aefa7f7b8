/*
 * What manifests and indexes say about where a module is.
 * https://github.com/opencontainers/image-spec/blob/main/manifest.md
 */
import { ModuleFault } from "../problem.ts";
import { isCheckable } from "./digest.ts";

/** Content in a registry. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** One of the manifests of an index. */
interface IndexEntry extends Descriptor {
  readonly platform: { readonly os: string; readonly architecture: string } | undefined;
  readonly isAttestation: boolean;
}

/** What a manifest says. */
export type Manifest =
  | { readonly kind: "index"; readonly chosen: Descriptor }
  | {
      readonly kind: "image";
      readonly config: Descriptor;
      /** The layer that is the module. */
      readonly module: Descriptor | undefined;
      /** Otherwise the archives that may hold it, the uppermost first. */
      readonly archives: readonly Descriptor[];
    };

/** What a registry is asked for. */
export const acceptedManifests = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
].join(", ");

/** Layers that are modules: the Wasm artifact of Istio's and that of the CNCF. */
const moduleTypes = new Set([
  "application/vnd.module.wasm.content.layer.v1+wasm",
  "application/vnd.wasm.content.layer.v1+wasm",
  "application/wasm",
]);

/** Archives, compressed or not. */
const archiveTypes = new Set([
  "application/vnd.docker.image.rootfs.diff.tar.gzip",
  "application/vnd.docker.image.rootfs.diff.tar",
  "application/vnd.oci.image.layer.v1.tar+gzip",
  "application/vnd.oci.image.layer.v1.tar",
]);

/** The type of a config that says nothing: registries need not have its content, which is `{}`. */
export const emptyConfig = "application/vnd.oci.empty.v1+json";

/** How many manifests and layers are looked at. */
const maxItems = 1_000;
const maxArchives = 8;

/** Parses a manifest. Raises a ModuleFault if it cannot be used. */
export function parseManifest(text: string): Manifest {
  const json = objectOf(parse(text));
  if (json["schemaVersion"] !== 2) {
    throw badManifest("is of a version other than 2; push it with a current tool");
  }
  const { manifests, layers } = json;
  // Some tools write null for a list that is not there.
  if ((manifests ?? undefined) !== undefined && (layers ?? undefined) !== undefined) {
    throw badManifest("is both an index and an image; push it again");
  }
  if (Array.isArray(manifests)) {
    return { kind: "index", chosen: choose(manifests.slice(0, maxItems).map(entryOf)) };
  }
  if (!Array.isArray(layers)) {
    throw badManifest("has neither layers nor manifests; push it again");
  }
  const descriptors = layers.slice(0, maxItems).map(descriptorOf);
  const module = descriptors.find(({ mediaType }) => moduleTypes.has(mediaType));
  const archives = descriptors.filter(({ mediaType }) => archiveTypes.has(mediaType)).reverse();
  if (module === undefined && archives.length === 0) {
    const [{ mediaType } = { mediaType: "none" }] = descriptors;
    throw badManifest(
      `has no layer that can hold a module, but one of the type ${shown(mediaType)}; push the .wasm file as a layer of the type application/vnd.module.wasm.content.layer.v1+wasm, or an image with plugin.wasm`,
    );
  }
  const config = descriptorOf(json["config"]);
  return { kind: "image", config, module, archives: archives.slice(0, maxArchives) };
}

/** Chooses from an index. A module is the same for all platforms, so that any is better than none. */
function choose(entries: readonly IndexEntry[]): Descriptor {
  const images = entries.filter(({ isAttestation }) => !isAttestation);
  const chosen =
    images.find(({ platform }) => platform?.os === "linux" && platform.architecture === "amd64") ??
    images.find(({ platform }) => (platform?.architecture ?? "").startsWith("wasm")) ??
    images.find(({ platform }) => platform === undefined) ??
    images[0];
  if (chosen === undefined) {
    throw badManifest("is an index without images; push it again");
  }
  return chosen;
}

function entryOf(json: unknown): IndexEntry {
  const { platform, annotations } = objectOf(json);
  const { os, architecture } = objectOf(platform ?? {});
  const isKnown = typeof os === "string" && typeof architecture === "string";
  return {
    ...descriptorOf(json),
    platform: isKnown ? { os, architecture } : undefined,
    isAttestation:
      objectOf(annotations ?? {})["vnd.docker.reference.type"] === "attestation-manifest" ||
      (os === "unknown" && architecture === "unknown"),
  };
}

function descriptorOf(json: unknown): Descriptor {
  const { mediaType, digest, size } = objectOf(json);
  if (typeof mediaType !== "string" || typeof digest !== "string" || !isCheckable(digest)) {
    throw badManifest("has a part without a media type or a valid digest; push it again");
  }
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw badManifest("has a part without a valid size; push it again");
  }
  return { mediaType, digest, size };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badManifest("is not JSON; check that the host is a registry", error);
  }
}

function objectOf(json: unknown): Readonly<Record<string, unknown>> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw badManifest("has something else where an object should be; push it again");
  }
  return json as Record<string, unknown>;
}

/** A media type as a message shows it: the registry may have written anything. */
function shown(mediaType: string): string {
  return /^[\w./+-]{1,100}$/.test(mediaType) ? mediaType : "an unreadable name";
}

export function badManifest(text: string, cause?: unknown): ModuleFault {
  return new ModuleFault("BAD_MANIFEST", `the manifest ${text}`, { cause });
}
