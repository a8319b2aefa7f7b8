/* A registry of container images on loopback, that of crane, and what is pushed to it. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { inject } from "vitest";
import { tarOf } from "./tar.ts";

/** A registry; it ends, with all that it has, at the end of the `await using` block. */
export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** Pushes a module as an artifact of the Wasm OCI layout; resolves with the digest of its manifest. */
  pushArtifact(reference: Reference, module: Buffer): Promise<string>;
  /** Pushes an image with a module as `plugin.wasm` in a layer, as docker build makes them. */
  pushImage(reference: Reference, module: Buffer, style?: "docker" | "oci"): Promise<string>;
  /** Pushes an index of manifests that are there. */
  pushIndex(reference: Reference, manifests: readonly IndexEntry[]): Promise<string>;
  /** Pushes a manifest as it is, good or bad. */
  pushManifest(reference: Reference, mediaType: string, manifest: object): Promise<string>;
  /** Pushes a blob; resolves with its descriptor. */
  pushBlob(repository: string, mediaType: string, bytes: Buffer): Promise<Descriptor>;
}

/** A repository and a tag. */
export interface Reference {
  readonly repository: string;
  readonly tag: string;
}

/** What manifests say of a blob. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** A manifest of an index. */
export interface IndexEntry {
  readonly reference: Reference;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

const mediaTypes = {
  artifactConfig: "application/vnd.module.wasm.config.v1+json",
  artifactLayer: "application/vnd.module.wasm.content.layer.v1+wasm",
  oci: {
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  },
  docker: {
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  },
  index: "application/vnd.oci.image.index.v1+json",
} as const;

/** Starts a registry on a free port. */
export async function startRegistry(): Promise<Registry> {
  const parameters = ["registry", "serve", "--address", "127.0.0.1:0"];
  const child = spawn(inject("envoyTools").crane, parameters, {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const killNow = (): void => void child.kill("SIGKILL");
  process.on("exit", killNow);
  const address = `127.0.0.1:${await portIn(child.stderr)}`;
  child.stderr.resume();
  const url = `http://${address}/v2`;

  const pushBlob: Registry["pushBlob"] = async (repository, mediaType, bytes) => {
    const begun = await call("POST", `${url}/${repository}/blobs/uploads/`);
    const upload = new URL(begun.headers.get("location") ?? "", `${url}/`);
    const digest = digestOf(bytes);
    upload.searchParams.set("digest", digest);
    await call("PUT", upload.href, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const pushManifest: Registry["pushManifest"] = async ({ repository, tag }, type, manifest) => {
    const bytes = Buffer.from(JSON.stringify(manifest));
    await call("PUT", `${url}/${repository}/manifests/${tag}`, bytes, type);
    return digestOf(bytes);
  };
  return {
    address,
    pushBlob,
    pushManifest,
    async pushArtifact(reference, module) {
      const { repository } = reference;
      const config = await pushBlob(repository, mediaTypes.artifactConfig, Buffer.from("{}"));
      const layer = await pushBlob(repository, mediaTypes.artifactLayer, module);
      return pushManifest(reference, mediaTypes.oci.manifest, {
        schemaVersion: 2,
        mediaType: mediaTypes.oci.manifest,
        config,
        layers: [layer],
      });
    },
    async pushImage(reference, module, style = "docker") {
      const { repository } = reference;
      const types = mediaTypes[style];
      const tar = tarOf("plugin.wasm", module);
      const content = {
        architecture: "amd64",
        os: "linux",
        rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
      };
      const config = await pushBlob(repository, types.config, Buffer.from(JSON.stringify(content)));
      const layer = await pushBlob(repository, types.layer, gzipSync(tar));
      return pushManifest(reference, types.manifest, {
        schemaVersion: 2,
        mediaType: types.manifest,
        config,
        layers: [layer],
      });
    },
    async pushIndex(reference, entries) {
      const manifests = entries.map(async ({ reference: { repository, tag }, platform }) => {
        const types = [mediaTypes.oci.manifest, mediaTypes.docker.manifest];
        const headers = { accept: types.join(", ") };
        const response = await fetch(`${url}/${repository}/manifests/${tag}`, { headers });
        const bytes = Buffer.from(await response.arrayBuffer());
        const mediaType = response.headers.get("content-type") ?? "";
        return { mediaType, digest: digestOf(bytes), size: bytes.length, platform };
      });
      return pushManifest(reference, mediaTypes.index, {
        schemaVersion: 2,
        mediaType: mediaTypes.index,
        manifests: await Promise.all(manifests),
      });
    },
    async [Symbol.asyncDispose]() {
      process.off("exit", killNow);
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }
    },
  };
}

/** The port that crane names in its first line. */
async function portIn(stream: NodeJS.ReadableStream): Promise<string> {
  const [line] = (await once(createInterface(stream), "line")) as [string];
  const [, port] = /serving on port (\d+)/.exec(line) ?? [];
  if (port === undefined) {
    throw new Error(`crane does not serve: ${line}`);
  }
  return port;
}

async function call(
  method: string,
  url: string,
  body?: Buffer,
  type = "application/octet-stream",
): Promise<Response> {
  const headers = body === undefined ? {} : { "content-type": type };
  const response = await fetch(url, {
    method,
    headers,
    ...(body !== undefined && { body: new Uint8Array(body) }),
  });
  if (!response.ok) {
    throw new Error(`the registry refuses ${method} ${url}: ${await response.text()}`);
  }
  return response;
}

/** The digest of bytes, as registries write it. */
function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
