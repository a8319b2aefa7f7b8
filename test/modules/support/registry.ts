/* A registry in memory, and an HTTP server for anything else. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A server that remembers what it was asked. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  /** `localhost:PORT` */
  readonly host: string;
  /** Requests so far, as `METHOD PATH`. */
  readonly asked: string[];
  readonly requests: IncomingMessage[];
}

/** A certificate and its key. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Serves on 127.0.0.1. */
export async function serve(
  answer: RequestListener,
  { tls }: { tls?: TlsFiles } = {},
): Promise<TestServer> {
  const asked: string[] = [];
  const requests: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    requests.push(request);
    answer(request, response);
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    host: `localhost:${port}`,
    asked,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers with bytes. */
export function answerBytes(bytes: Uint8Array | string, headers = {}): RequestListener {
  return (_, response) => {
    response.writeHead(200, { "content-length": Buffer.byteLength(bytes), ...headers });
    response.end(bytes);
  };
}

/** A registry. */
export interface Registry extends TestServer {
  /** Adds a blob; returns its descriptor. */
  blob(bytes: Uint8Array, mediaType: string): Descriptor;
  /** Adds a manifest under its digest, and under a tag if one is given; returns its descriptor. */
  manifest(json: object, tag?: string): Descriptor;
  /** Adds an artifact with a module. */
  artifact(module: Uint8Array, tag?: string): Descriptor;
  /** Blobs and manifests by path. */
  readonly content: Map<string, { bytes: Uint8Array; mediaType: string }>;
  /** Answers requests before the registry does; true if it has answered. */
  before: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  wasm: "application/vnd.module.wasm.content.layer.v1+wasm",
  config: "application/vnd.module.wasm.config.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  ociLayer: "application/vnd.oci.image.layer.v1.tar+gzip",
};

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Serves a registry with the repository `acme/auth`. */
export async function serveRegistry(options?: { tls?: TlsFiles }): Promise<Registry> {
  const content: Registry["content"] = new Map();
  const server = await serve((request, response) => {
    if (registry.before(request, response)) {
      return;
    }
    const found = content.get((request.url ?? "").replace(/^\/v2\/acme\/auth\//, ""));
    if (found === undefined) {
      response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
      return;
    }
    response.writeHead(200, {
      "content-type": found.mediaType,
      "content-length": found.bytes.byteLength,
      "docker-content-digest": digestOf(found.bytes),
    });
    response.end(request.method === "HEAD" ? undefined : found.bytes);
  }, options);
  const registry: Registry = {
    ...server,
    content,
    before: () => false,
    blob(bytes, mediaType) {
      const digest = digestOf(bytes);
      content.set(`blobs/${digest}`, { bytes, mediaType });
      return { mediaType, digest, size: bytes.byteLength };
    },
    manifest(json, tag) {
      const bytes = Buffer.from(JSON.stringify(json));
      const { mediaType = types.manifest } = json as { mediaType?: string };
      const digest = digestOf(bytes);
      content.set(`manifests/${digest}`, { bytes, mediaType });
      if (tag !== undefined) {
        content.set(`manifests/${tag}`, { bytes, mediaType });
      }
      return { mediaType, digest, size: bytes.byteLength };
    },
    artifact(module, tag = "1.0") {
      return registry.manifest(
        {
          schemaVersion: 2,
          mediaType: types.manifest,
          config: registry.blob(Buffer.from("{}"), types.config),
          layers: [registry.blob(module, types.wasm)],
        },
        tag,
      );
    },
  };
  return registry;
}

/** A tar archive with files. */
export function tar(files: Readonly<Record<string, Uint8Array>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, bytes]) => {
    const head = Buffer.alloc(512);
    head.write(name, 0);
    head.write("0000644\0", 100);
    head.write(`${bytes.byteLength.toString(8).padStart(11, "0")}\0`, 124);
    head.write("        0", 148);
    const sum = head.reduce((total, byte) => total + byte, 0);
    head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [head, bytes, Buffer.alloc((512 - (bytes.byteLength % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
