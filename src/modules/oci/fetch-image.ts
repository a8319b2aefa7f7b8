/* Fetches the module in an image of a registry. */
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { Readable } from "node:stream";
import type { Fetched, Fetching } from "../fetching.ts";
import { readAll } from "../network/client.ts";
import { ModuleFault } from "../problem.ts";
import { beginCheck, checkBytes, sha256Of } from "./digest.ts";
import { credentialsIn } from "./credentials.ts";
import {
  acceptedManifests,
  badManifest,
  type Descriptor,
  emptyConfig,
  parseManifest,
} from "./manifest.ts";
import { type ImagePlace, placeOfImage } from "./place.ts";
import { type Login, openRepository, type Repository, TooOften } from "./registry.ts";
import { fileInTar, MalformedArchive } from "./tar.ts";

/** The greatest manifest and the greatest config, in bytes. */
export const maxManifestBytes = 1024 * 1024;

/** How many indexes lead to one another. */
const maxIndexes = 2;

/** What an archive may hold beside the module, in bytes. */
const archiveRoom = 1024 * 1024;

/** The module in an archive, as Istio's "compat" images have it. */
const moduleName = "plugin.wasm";

/** Fetches a module. Rejects with a ModuleFault. */
export async function fetchImage(fetching: Fetching): Promise<Fetched> {
  const place = placeOfImage(fetching.url);
  const repository = openRepository(fetching.client, place, loginOf(fetching, place));
  const known = fetching.known?.manifest;
  if (known !== undefined && (await currentDigest(repository, place)) === known) {
    return { kind: "unchanged" };
  }
  const path = `manifests/${place.reference}`;
  const top = await readAll(
    await repository.request("GET", path, acceptedManifests),
    maxManifestBytes,
  );
  if (place.digest !== undefined) {
    checkBytes("the manifest", top, { digest: place.digest });
  }
  const digest = place.digest ?? sha256Of(top);
  if (digest === known) {
    return { kind: "unchanged" };
  }
  await fetchModule(fetching, repository, top);
  return { kind: "fetched", validator: { manifest: digest } };
}

/** The reasons of faults that a registry has answered with. */
const answered: ReadonlySet<string> = new Set([
  "BAD_ANSWER",
  "NOT_FOUND",
  "UNAUTHORIZED",
  "SECRET",
]);

/** The digest that a tag has now, which costs no pull; undefined if the registry does not say. */
async function currentDigest(
  repository: Repository,
  { reference }: ImagePlace,
): Promise<string | undefined> {
  try {
    const incoming = await repository.request("HEAD", `manifests/${reference}`, acceptedManifests);
    incoming.drop();
    return incoming.headers["docker-content-digest"]?.toString();
  } catch (error) {
    // Some registries do not know HEAD, and what a proxy before them answers to it may be anything.
    if (
      error instanceof ModuleFault &&
      answered.has(error.reason) &&
      !(error instanceof TooOften)
    ) {
      return undefined;
    }
    throw error;
  }
}

async function fetchModule(fetching: Fetching, repository: Repository, top: Buffer): Promise<void> {
  let manifest = parseManifest(top.toString());
  for (let indexes = 0; manifest.kind === "index"; indexes++) {
    if (indexes === maxIndexes) {
      throw badManifest(
        `is an index of indexes, more than ${maxIndexes} levels deep; push a flat one`,
      );
    }
    const { chosen } = manifest;
    manifest = parseManifest((await fetchPart(repository, "manifests", chosen)).toString());
  }
  // An empty config has nothing to fetch.
  if (manifest.config.size > 0 && manifest.config.mediaType !== emptyConfig) {
    await fetchPart(repository, "blobs", manifest.config);
  }
  if (manifest.module !== undefined) {
    await fetchLayer(fetching, repository, manifest.module);
    return;
  }
  for (const archive of manifest.archives) {
    if (await fetchFromArchive(fetching, repository, archive)) {
      return;
    }
  }
  throw badManifest(
    `leads to no layer with the file ${moduleName}; push an image that has it, or the module itself as a layer of the type application/vnd.module.wasm.content.layer.v1+wasm`,
  );
}

/** Fetches a manifest or a config. */
async function fetchPart(
  repository: Repository,
  kind: "manifests" | "blobs",
  part: Descriptor,
): Promise<Buffer> {
  const what = kind === "manifests" ? "the manifest" : "the config";
  if (part.size > maxManifestBytes) {
    throw badManifest(
      `names a part of ${part.size} bytes; push one of at most ${maxManifestBytes}`,
    );
  }
  const accept = kind === "manifests" ? acceptedManifests : undefined;
  const incoming = await repository.request("GET", `${kind}/${part.digest}`, accept);
  const bytes = await readAll(incoming, maxManifestBytes);
  checkBytes(what, bytes, part);
  return bytes;
}

async function fetchLayer(
  fetching: Fetching,
  repository: Repository,
  layer: Descriptor,
): Promise<void> {
  for await (const chunk of layerChunks(fetching, repository, layer)) {
    await fetching.draft.write(chunk);
  }
}

/** Writes the module in an archive to the draft, and tells whether there is one. */
async function fetchFromArchive(
  fetching: Fetching,
  repository: Repository,
  layer: Descriptor,
): Promise<boolean> {
  const { draft, maxModuleBytes } = fetching;
  let isFound = false;
  const extract = async (archive: AsyncIterable<Buffer>): Promise<void> => {
    const file = fileInTar(limited(archive, maxModuleBytes + archiveRoom), moduleName);
    try {
      let next = await file.next();
      while (next.done !== true) {
        await draft.write(next.value);
        next = await file.next();
      }
      isFound = next.value;
    } finally {
      // Ends the connection, if the draft takes no more.
      await file.return(false);
    }
  };
  const chunks = layerChunks(fetching, repository, layer);
  try {
    if (layer.mediaType.endsWith("gzip")) {
      await pipeline(Readable.from(chunks), createGunzip({ chunkSize: 64 * 1024 }), extract);
    } else {
      await extract(chunks);
    }
    return isFound;
  } catch (error) {
    if (
      error instanceof MalformedArchive ||
      ((error as NodeJS.ErrnoException).code ?? "").startsWith("Z_")
    ) {
      throw new ModuleFault(
        "BAD_MANIFEST",
        "the layer is not a valid archive; push the image again",
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}

/** The bytes of a layer, the digest of which is checked at the end. */
async function* layerChunks(
  { maxModuleBytes }: Fetching,
  repository: Repository,
  layer: Descriptor,
): AsyncGenerator<Buffer, void> {
  const most = maxModuleBytes + archiveRoom;
  if (layer.size > most) {
    throw tooLarge(`the layer has ${layer.size} bytes`, maxModuleBytes);
  }
  const check = beginCheck("the layer", layer);
  const incoming = await repository.request("GET", `blobs/${layer.digest}`);
  for await (const chunk of incoming.chunks(layer.size)) {
    check.update(chunk);
    yield chunk;
  }
  check.end();
}

/** What an archive holds, which may be a thousand times what was sent. */
async function* limited(
  chunks: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<Buffer, void> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      throw tooLarge("the layer has too much when it is unpacked", maxBytes - archiveRoom);
    }
    yield chunk;
  }
}

function tooLarge(what: string, maxBytes: number): ModuleFault {
  return new ModuleFault(
    "TOO_LARGE",
    `${what}, and a module has at most ${maxBytes}; make it smaller, or raise --max-module-bytes`,
  );
}

function loginOf({ organization, pullSecret, secrets }: Fetching, place: ImagePlace): Login {
  const secret = pullSecret === "" ? "" : `the pull secret ${organization}/${pullSecret}`;
  return {
    secret,
    async credentials() {
      const config = pullSecret === "" ? undefined : await secrets.read(organization, pullSecret);
      return config === undefined ? undefined : credentialsIn(config, place);
    },
  };
}
