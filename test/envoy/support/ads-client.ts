/*
 * A light client of our own that speaks delta ADS, many of which stand for many proxies. It accepts what it
 * gets, unless told to refuse it, and runs nothing.
 */
import {
  type ChannelCredentials,
  type ClientDuplexStream,
  credentials as grpcCredentials,
  loadPackageDefinition,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { eventually } from "../../support/eventually.ts";

/** A resource as the client got it. */
export interface Received {
  readonly name: string;
  readonly version: string;
  /** The TypedExtensionConfig, as sent. */
  readonly bytes: Buffer;
  /** When it arrived, in ms of `performance.now()`. */
  readonly atMs: number;
}

/** A client with one stream. */
export interface AdsClient extends Disposable {
  /** All resources, in the order in which they arrived. */
  readonly received: readonly Received[];
  /** The names of resources that the server took away. */
  readonly removed: readonly string[];
  /** The last resource of each name. */
  readonly latest: ReadonlyMap<string, Received>;
  /** Why the stream ended. */
  readonly ended: Promise<ServiceError | undefined>;
  subscribe(...names: string[]): void;
  unsubscribe(...names: string[]): void;
  /** Resolves with a resource that meets a condition, now or later. */
  got(what: string, condition: (resource: Received) => boolean): Promise<Received>;
}

/** What a client says of itself, and what it refuses. */
export interface AdsOptions {
  readonly nodeId?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Other parts of its node than those of a present Envoy. */
  readonly node?: object;
  readonly token?: string;
  readonly credentials?: ChannelCredentials;
  /** Why a resource is refused; undefined for one that is accepted. */
  readonly refuse?: (resource: Received) => string | undefined;
  /** The versions that the client has already, by name, as after a reconnect. */
  readonly initialVersions?: Readonly<Record<string, string>>;
}

/** The type of the resources. */
export const extensionType = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/** The parts that are used of envoy.service.discovery.v3.DeltaDiscoveryResponse. */
interface DeltaResponse {
  readonly nonce: string;
  readonly resources: readonly {
    readonly name: string;
    readonly version: string;
    readonly resource: { readonly value: Buffer } | null;
  }[];
  readonly removed_resources: readonly string[];
}

type Stream = ClientDuplexStream<object, DeltaResponse>;

type Service = new (
  address: string,
  credentials: ChannelCredentials,
  options: object,
) => { DeltaAggregatedResources(metadata: Metadata): Stream; close(): void };

/** The service and messages of ADS, as grpc-js-xds ships them. */
export function loadAds(): PackageDefinition {
  const folder = new URL("../../../node_modules/@grpc/grpc-js-xds/deps/", import.meta.url).pathname;
  return loadSync("envoy/service/discovery/v3/ads.proto", {
    includeDirs: ["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map(
      (name) => folder + name,
    ),
    keepCase: true,
    enums: String,
    defaults: true,
    arrays: true,
  });
}

const service = serviceOf(loadAds());

/** Opens a stream to `HOST:PORT`; it ends at the end of the `using` block. */
export function openAdsClient(
  address: string,
  {
    nodeId = "test",
    metadata = {},
    node: parts = {},
    token,
    credentials = grpcCredentials.createInsecure(),
    refuse = () => undefined,
    initialVersions = {},
  }: AdsOptions = {},
): AdsClient {
  // Each client has a connection of its own, as proxies have.
  const client = new service(address, credentials, { "grpc.use_local_subchannel_pool": 1 });
  const headers = new Metadata();
  if (token !== undefined) {
    headers.set("authorization", `Bearer ${token}`);
  }
  const stream = client.DeltaAggregatedResources(headers);
  const received: Received[] = [];
  const removed: string[] = [];
  const latest = new Map<string, Received>();
  const ended = Promise.withResolvers<ServiceError | undefined>();
  let hasShownNode = false;
  const write = (request: object): void => {
    const node = { id: nodeId, cluster: "test", ...nodeOf(metadata), ...parts };
    stream.write({ type_url: extensionType, ...(hasShownNode ? {} : { node }), ...request });
    hasShownNode = true;
  };
  stream.on("data", ({ nonce, resources, removed_resources: gone }: DeltaResponse) => {
    const atMs = performance.now();
    let problem: string | undefined;
    for (const { name, version, resource } of resources) {
      const entry = { name, version, bytes: resource?.value ?? Buffer.alloc(0), atMs };
      received.push(entry);
      latest.set(name, entry);
      problem ??= refuse(entry);
    }
    for (const name of gone) {
      removed.push(name);
      latest.delete(name);
    }
    write({
      response_nonce: nonce,
      ...(problem !== undefined && { error_detail: { code: 13, message: problem } }),
    });
  });
  stream.on("error", (error: ServiceError) => {
    ended.resolve(error);
  });
  stream.on("end", () => {
    ended.resolve(undefined);
  });
  let isFirst = true;
  return {
    received,
    removed,
    latest,
    ended: ended.promise,
    subscribe(...names) {
      write({
        resource_names_subscribe: names,
        ...(isFirst && { initial_resource_versions: initialVersions }),
      });
      isFirst = false;
    },
    unsubscribe(...names) {
      write({ resource_names_unsubscribe: names });
    },
    got: (what, condition) => eventually(what, () => received.findLast(condition)),
    [Symbol.dispose]() {
      stream.cancel();
      client.close();
    },
  };
}

function serviceOf(definition: PackageDefinition): Service {
  const path = ["envoy", "service", "discovery", "v3", "AggregatedDiscoveryService"];
  return path.reduce<unknown>(
    (inner, name) => (inner as Record<string, unknown>)[name],
    loadPackageDefinition(definition),
  ) as Service;
}

/** The parts of a node that are a Struct, in the form that proto-loader takes. */
function nodeOf(metadata: Readonly<Record<string, unknown>>): object {
  return {
    metadata: structOf(metadata),
    user_agent_name: "envoy",
    user_agent_build_version: { version: { major_number: 1, minor_number: 40, patch: 0 } },
    extensions: ["envoy.filters.http.filter_chain", "envoy.wasm.runtime.v8"].map((name) => ({
      name,
    })),
  };
}

function structOf(value: Readonly<Record<string, unknown>>): object {
  const fields = Object.entries(value).map(([key, item]) => [key, valueOf(item)]);
  return { fields: Object.fromEntries(fields) as Record<string, object> };
}

function valueOf(value: unknown): object {
  if (typeof value === "object" && value !== null) {
    return { structValue: structOf(value as Record<string, unknown>) };
  }
  return typeof value === "number" ? { numberValue: value } : { stringValue: String(value) };
}
