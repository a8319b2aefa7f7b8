/*
 * A server of delta ADS that knows nothing of a catalog: it answers every name with a chain without filters,
 * and keeps what its clients show.
 */
import {
  loadPackageDefinition,
  type Metadata,
  Server,
  type ServerCredentials,
  ServerCredentials as Credentials,
  type ServerDuplexStream,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { extensionType, loadAds } from "./ads-client.ts";
import { chainType } from "./static-bootstrap.ts";

/** The parts that are used of envoy.service.discovery.v3.DeltaDiscoveryRequest. */
export interface DeltaRequest {
  readonly node: { readonly id: string } | null;
  readonly resource_names_subscribe: readonly string[];
  readonly response_nonce: string;
  readonly error_detail: { readonly code: number; readonly message: string } | null;
}

/** What a client shows when it opens a stream. */
export interface Shown {
  readonly authorization: string;
  readonly authority: string;
  /** The names in its certificate, in the form of Node; undefined for none. */
  readonly certificate: string | undefined;
}

/** A server; it ends at the end of the `using` block. */
export interface AdsServer extends Disposable {
  readonly port: number;
  /** What each stream began with. */
  readonly streams: readonly Shown[];
  readonly requests: readonly DeltaRequest[];
  /** The names that were asked for. */
  readonly names: readonly string[];
  /** Ends all streams and connections; the server goes on. */
  disconnect(): void;
}

type Stream = ServerDuplexStream<DeltaRequest, object>;

/** Starts a server on a free port of an address of loopback. */
export async function startAdsServer(
  credentials: ServerCredentials = Credentials.createInsecure(),
  host = "127.0.0.1",
): Promise<AdsServer> {
  const streams: Shown[] = [];
  const requests: DeltaRequest[] = [];
  const open = new Set<Stream>();
  const server = new Server();
  server.addService(serviceOf("AggregatedDiscoveryService"), {
    DeltaAggregatedResources(stream: Stream) {
      open.add(stream);
      streams.push({
        authorization: textOf(stream.metadata, "authorization"),
        authority: stream.getHost(),
        certificate: stream.getAuthContext().sslPeerCertificate?.subjectaltname,
      });
      stream.on("error", () => open.delete(stream));
      stream.on("data", (request: DeltaRequest) => {
        requests.push(request);
        for (const name of request.resource_names_subscribe) {
          const resource = { type_url: extensionType, value: emptyChain(name) };
          stream.write({
            type_url: extensionType,
            nonce: name,
            resources: [{ name, version: "1", resource }],
          });
        }
      });
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:0`, credentials, (error, bound) => {
      if (error === null) {
        resolve(bound);
      } else {
        reject(error);
      }
    });
  });
  return {
    port,
    streams,
    requests,
    get names() {
      return requests.flatMap(({ resource_names_subscribe: names }) => names);
    },
    disconnect() {
      for (const stream of open) {
        stream.end();
      }
      open.clear();
      server.drain(`${host}:${port}`, 0);
    },
    [Symbol.dispose]() {
      server.forceShutdown();
    },
  };
}

function serviceOf(name: string): ServiceClientConstructor["service"] {
  const path = ["envoy", "service", "discovery", "v3", name];
  const found = path.reduce<unknown>(
    (inner, part) => (inner as Record<string, unknown>)[part],
    loadPackageDefinition(loadAds()),
  );
  return (found as ServiceClientConstructor).service;
}

function textOf(metadata: Metadata, key: string): string {
  return metadata.get(key).map(String).join();
}

/** The bytes of a TypedExtensionConfig with a chain without filters. */
function emptyChain(name: string): Buffer {
  return Buffer.concat([field(1, name), field(2, field(1, chainType))]);
}

/** A field of bytes or text; none here is longer than 16 KiB. */
function field(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  const head = [(number << 3) | 2, (bytes.length & 0x7f) | 0x80, bytes.length >>> 7];
  return Buffer.concat([Buffer.from(head), bytes]);
}
