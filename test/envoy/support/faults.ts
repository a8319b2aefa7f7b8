/* What can be wrong with an extension, and what the status has to say of it. */
import { flawedModule, type Flaw, testModule } from "./module.ts";
import { digestOf, type Registry, serveRegistry } from "../../modules/support/registry.ts";

/** Something that is wrong. */
export interface Fault {
  readonly name: string;
  /** The url of the module; undefined for a good one. */
  readonly url?: string;
  /** The configuration; undefined for a good one. */
  readonly config?: { readonly refuse: true } | { readonly trap: "configure" };
  /** The reason in the status. */
  readonly reason: string;
}

/** A registry and HTTP server on loopback, with a good module and bad ones. */
export interface FaultyHost extends AsyncDisposable {
  readonly registry: Registry;
  /** The url of a good module. */
  readonly goodUrl: string;
  readonly faults: readonly Fault[];
}

const flaws: readonly Flaw[] = [
  "traps when it is loaded",
  "traps when its VM starts",
  "imports what is not there",
  "has invalid code",
];

/** The names of the faults, which tests are made of before the server is there. */
export const faultNames = [
  "a registry that is down",
  "a registry that asks for a login",
  "an image that is not there",
  "a layer with another digest",
  "a file with another sha256",
  "an answer of 10 GiB",
  "an answer without an end",
  "a redirect to the metadata of a cloud",
  "a page instead of a module",
  "a module without the exports of Proxy-Wasm",
  "a configuration that is refused",
  "a trap while it is configured",
  ...flaws.map((flaw) => `a module that ${flaw}`),
  "a file that the proxy does not have",
];

/** Starts the server. */
export async function serveFaults(): Promise<FaultyHost> {
  const registry = await serveRegistry();
  const { bytes } = await testModule();
  registry.artifact(bytes, "good");
  const wrong = await testModule("wrong digest");
  registry.artifact(wrong.bytes, "wrong-digest");
  registry.content.set(`blobs/${digestOf(wrong.bytes)}`, { bytes, mediaType: "x/y" });
  for (const flaw of flaws) {
    registry.artifact(await flawedModule(flaw), tagOf(flaw));
  }
  registry.before = ({ url: path = "" }, response) => {
    switch (path) {
      case "/v2/acme/private/manifests/1":
        response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
        return true;
      case "/huge.wasm":
        response.writeHead(200, { "content-length": 10 * 2 ** 30 }).write(bytes);
        return true;
      case "/endless.wasm": {
        const chunk = Buffer.alloc(1024 * 1024);
        const write = (): void => {
          while (!response.destroyed && response.write(chunk));
        };
        response.on("drain", write);
        write();
        return true;
      }
      case "/metadata.wasm":
        response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data/" }).end();
        return true;
      case "/page.wasm":
        response.end("<!doctype html><title>Welcome</title>");
        return true;
      case "/empty.wasm":
        response.end(bytes.subarray(0, 8));
        return true;
      case "/good.wasm":
        response.end(bytes);
        return true;
      default:
        return false;
    }
  };
  const http = `http://${registry.host}`;
  const image = (tag: string): string => `oci://${registry.host}/acme/auth:${tag}`;
  const faults: Omit<Fault, "name">[] = [
    { reason: "UNREACHABLE", url: "oci://127.0.0.1:1/acme/auth:1" },
    { reason: "UNAUTHORIZED", url: `oci://${registry.host}/acme/private:1` },
    { reason: "NOT_FOUND", url: image("missing") },
    { reason: "DIGEST_MISMATCH", url: image("wrong-digest") },
    { reason: "DIGEST_MISMATCH", url: `${http}/good.wasm#sha256=${wrong.sha256}` },
    { reason: "TOO_LARGE", url: `${http}/huge.wasm` },
    { reason: "TOO_LARGE", url: `${http}/endless.wasm` },
    { reason: "ADDRESS_REFUSED", url: `${http}/metadata.wasm` },
    { reason: "NOT_WASM", url: `${http}/page.wasm` },
    { reason: "NO_PROXY_WASM", url: `${http}/empty.wasm` },
    { reason: "PROXY_REFUSED", config: { refuse: true } },
    { reason: "PROXY_REFUSED", config: { trap: "configure" } },
    ...flaws.map((flaw) => ({ reason: "PROXY_REFUSED", url: image(tagOf(flaw)) })),
    { reason: "PROXY_REFUSED", url: "file:///nowhere/module.wasm" },
  ];
  return {
    registry,
    goodUrl: image("good"),
    faults: faults.map((fault, index) => ({ name: faultNames[index] ?? "", ...fault })),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

function tagOf(flaw: Flaw): string {
  return flaw.replaceAll(" ", "-");
}
