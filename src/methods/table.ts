import { setImmediate } from "node:timers/promises";
import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { AggregatedDiscoveryService } from "../../gen/envoy/service/discovery/v3/ads_pb.ts";
import { ExtensionConfigDiscoveryService } from "../../gen/envoy/service/extension/v3/config_discovery_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { Tenants } from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { AccessService } from "../../gen/wasmext/v1/access_service_pb.ts";
import { AttachmentService } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { ChainService } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { ExportService } from "../../gen/wasmext/v1/export_service_pb.ts";
import { ProxyService } from "../../gen/wasmext/v1/proxy_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { compileRules } from "../catalog/rules/validate.ts";
import type { Readiness } from "../journal/readiness.ts";
import type { Proxies } from "../xds/proxies.ts";
import { access } from "./access.ts";
import { attachments } from "./attachments.ts";
import { chains } from "./chains.ts";
import { aggregatedDiscovery, extensionDiscovery } from "./discovery.ts";
import { exports } from "./exports.ts";
import { health } from "./health.ts";
import type { ConversationMethod, ServiceMethods, StreamMethod, UnaryMethod } from "./method.ts";
import { proxyStatus } from "./proxies.ts";
import { reflection } from "./reflection.ts";
import { tenants } from "./tenants.ts";
import { wasmExtensions } from "./wasm-extensions.ts";
import { watch } from "./watch.ts";

/** An RPC with its method, by the kind that its descriptor says. */
export type MethodRow = { readonly desc: DescMethod } & (
  | { readonly kind: "unary"; readonly method: UnaryMethod<Message, Message> }
  | { readonly kind: "stream"; readonly method: StreamMethod<Message, Message> }
  | { readonly kind: "conversation"; readonly method: ConversationMethod<Message, Message> }
);

/** The services of the catalog. */
const api: readonly DescService[] = [
  WasmExtensions,
  Tenants,
  AttachmentService,
  ChainService,
  WatchService,
  ExportService,
  AccessService,
  ProxyService,
];

/** The services of proxies. */
const discoveryServices: readonly DescService[] = [
  AggregatedDiscoveryService,
  ExtensionConfigDiscoveryService,
];

/** All services that the server has, which is what reflection lists. */
export const services: readonly DescService[] = [
  ...api,
  ...discoveryServices,
  Health,
  ServerReflection,
  ServerReflectionAlpha,
];

/**
 * Compiles the rules of all requests, one after the other, so that a request that arrives meanwhile waits for
 * one of them only.
 */
export async function compileRequestRules(): Promise<void> {
  for (const { input } of api.flatMap(({ methods }) => methods)) {
    compileRules([input]);
    await setImmediate();
  }
}

/**
 * All RPCs of the server.
 *
 * @param readiness - of the journal
 * @param shutdown - is aborted when the server goes down
 * @param proxies - that are connected
 */
export function createMethodTable(
  readiness: Readiness,
  shutdown: AbortSignal,
  proxies: Proxies,
): readonly MethodRow[] {
  const names = services.map(({ typeName }) => typeName);
  const reflect = reflection(services);
  return [
    ...rowsOf(WasmExtensions, wasmExtensions),
    ...rowsOf(Tenants, tenants),
    ...rowsOf(AttachmentService, attachments),
    ...rowsOf(ChainService, chains),
    ...rowsOf(WatchService, watch),
    ...rowsOf(ExportService, exports),
    ...rowsOf(AccessService, access),
    ...rowsOf(ProxyService, proxyStatus(proxies)),
    ...rowsOf(AggregatedDiscoveryService, aggregatedDiscovery(proxies)),
    ...rowsOf(ExtensionConfigDiscoveryService, extensionDiscovery(proxies)),
    ...rowsOf(Health, health(names, readiness, shutdown)),
    ...rowsOf(ServerReflection, reflect),
    // The versions differ in the names of their types alone, which no answer mentions.
    ...rowsOf(
      ServerReflectionAlpha,
      reflect as unknown as ServiceMethods<typeof ServerReflectionAlpha>,
    ),
  ];
}

function rowsOf<Service extends DescService>(
  service: Service,
  methods: ServiceMethods<Service>,
): MethodRow[] {
  return service.methods.map((desc) => {
    const method = methods[desc.localName as keyof ServiceMethods<Service>] as unknown;
    return { desc, kind: kindOf(desc), method } as MethodRow;
  });
}

function kindOf({ methodKind, name }: DescMethod): MethodRow["kind"] {
  switch (methodKind) {
    case "unary":
      return "unary";
    case "server_streaming":
      return "stream";
    case "bidi_streaming":
      return "conversation";
    case "client_streaming":
      throw new TypeError(`${name}: no front end serves streams of requests with one answer`);
  }
}
